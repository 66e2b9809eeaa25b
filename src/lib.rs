//! sekisho (関所) reads the exported configuration of a VPN or firewall box and says, with proof,
//! what an attacker on the Internet could use.

pub mod ir;
pub mod packet;
pub mod source;
