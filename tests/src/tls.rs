//! What clients of this process encrypt with.

/// Chosen once for a process: another test of this binary may have been first, and one provider is as good as another.
pub fn provide() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
