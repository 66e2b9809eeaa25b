//! sekisho (関所) reads the exported configuration of a VPN or firewall box and says, with proof,
//! what an attacker on the Internet could use.

pub mod analysis;
pub mod answer;
pub mod cli;
pub mod dialect;
pub mod finding;
pub mod fleet;
pub mod ir;
pub mod packet;
pub mod report;
pub mod rule;
pub mod source;
pub mod syntax;
pub mod texts;
