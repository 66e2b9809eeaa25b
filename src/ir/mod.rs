//! The shared intermediate form: what a device is and does, vendor-neutral, every fact with its origin.

pub mod fact;
pub mod record;
pub mod schema;
