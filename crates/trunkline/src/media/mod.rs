//! Files that people send: fetched, looked at, kept by their content, handed to agents.
//!
//! A file is kept under the SHA-256 of its content, in a folder of the data folder: the same content is kept once, whoever
//! sent it. What it is, its content tells, not whoever sent it. The store knows which message brought which file.

pub(crate) mod codes;
mod fetch;
mod folder;
mod kind;
mod links;
mod routes;

pub use fetch::Media;
pub(crate) use fetch::gather;
pub use folder::MediaFolder;
pub(crate) use folder::is_hash;
pub(crate) use kind::sniff;
pub use links::MediaLinks;
pub(crate) use links::public_routes;
pub(crate) use routes::media_routes;
