//! The API of chancery.v1: generated messages, clients and servers, resource names, error reasons.
//!
//! **Invariant**: everything here is what clients see; the words are those of proto/chancery/v1.
//!
//! **Not here**: transport (chancery-client, the service's `grpc` module).
#![forbid(unsafe_code)]

pub mod names;
pub mod reasons;

// Nested as the packages are, so that generated paths between them resolve.
#[allow(missing_docs, unreachable_pub, clippy::all)]
mod generated {
    pub(crate) mod chancery {
        pub mod v1 {
            tonic::include_proto!("chancery.v1");
        }
        pub(crate) mod state {
            pub mod v1 {
                tonic::include_proto!("chancery.state.v1");
            }
        }
    }
    pub(crate) mod google {
        pub mod rpc {
            tonic::include_proto!("google.rpc");
        }
    }
}

/// Package `chancery.state.v1`: what administrative records carry.
pub use generated::chancery::state::v1 as state;
/// Package `chancery.v1`, generated from proto/.
pub use generated::chancery::v1;
/// Package `google.rpc`: the status that a stream answers with.
pub use generated::google::rpc;

/// The encoded `FileDescriptorSet` of the API, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
