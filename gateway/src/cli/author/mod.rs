//! What authors of plugins type before there is anything to upload: `vestibule plugin new`, `build` and `run`. None needs
//! a deployment: what `run` needs of one it makes for itself, and takes away again.

mod build;
mod new;
mod run;
mod sources;

pub(super) use build::Build;
pub(super) use new::New;
pub(super) use run::Run;
