//! What authors of plugins type before there is anything to upload: `vestibule plugin new`, `build`, `test` and `run`. None
//! needs a deployment: what `test` and `run` need of one they make for themselves, and take away again.

mod build;
mod new;
mod run;
mod sources;
mod test;

pub(super) use build::Build;
pub(super) use new::New;
pub(super) use run::Run;
pub(super) use test::Test;
