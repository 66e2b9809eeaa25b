//! Names of protocols and ports, from lists of a grammar file (`name number`).

use super::grammar::Grammar;
use std::collections::HashMap;

/// Names of protocols and ports of one product.
pub struct Numbers<'g> {
    protocols: HashMap<&'g str, u8>,
    ports: HashMap<&'g str, u16>,
}

impl<'g> Numbers<'g> {
    /// Reads the lists `protocols` and `ports`.
    pub fn new(grammar: &'g Grammar) -> Numbers<'g> {
        fn pairs<T: std::str::FromStr>(list: &[String]) -> HashMap<&str, T> {
            list.iter().filter_map(|row| row.split_once(' ').and_then(|(n, v)| Some((n, v.parse().ok()?)))).collect()
        }
        Numbers { protocols: pairs(grammar.names("protocols")), ports: pairs(grammar.names("ports")) }
    }

    /// A protocol by name or number.
    pub fn protocol(&self, word: &str) -> Option<u8> {
        word.parse().ok().or_else(|| self.protocols.get(word.to_ascii_lowercase().as_str()).copied())
    }

    /// A port by name or number.
    pub fn port(&self, word: &str) -> Option<u16> {
        word.parse().ok().or_else(|| self.ports.get(word.to_ascii_lowercase().as_str()).copied())
    }
}
