//! The shared intermediate form: what a device is and does, vendor-neutral, every fact with its origin.
//!
//! Plain structs with public fields. A dialect fills them; `analysis` asks questions over them and gives the answers
//! as [`record::Record`]s typed by [`schema`], which is all that rules see.

pub mod account;
pub mod device;
pub mod fact;
pub mod filter;
pub mod interface;
pub mod listener;
pub mod live;
pub mod nat;
pub mod record;
pub mod schema;
pub mod system;
pub mod tunnel;

pub use device::Device;
