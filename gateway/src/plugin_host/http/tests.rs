//! What is refused before anything leaves, and what is answered without leaving.
