//! What authors of plugins type before there is anything to upload: `vestibule plugin new` and `build`. Neither needs a
//! deployment.

mod build;
mod new;

pub(super) use build::Build;
pub(super) use new::New;
