//! Where randomness for keys and nonces comes from. The real one asks the system, a test's one counts.

use std::fmt;

use rand::TryRng;

/// A source of bytes that nobody can guess.
pub trait Entropy: Send + Sync + fmt::Debug {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), String>;
}

/// The operating system's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), String> {
        rand::rngs::SysRng
            .try_fill_bytes(bytes)
            .map_err(|error| error.to_string())
    }
}
