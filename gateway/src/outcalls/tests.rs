//! What goes out and what comes back, against a server of this machine.
