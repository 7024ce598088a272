//! Plugins for tests, one per file in `examples/`: some ordinary, most hostile or odd. This library is empty.
