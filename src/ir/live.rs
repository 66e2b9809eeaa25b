//! Liveness: what is configured but switched off, unbound or unreferenced must not be judged as live, nor the reverse.

use super::fact::Fact;

/// What a thing's life hangs on besides its own switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// It is attached somewhere.
    Bound,
    /// Something that is live names it.
    Referenced,
    /// The interface or service it stands on is up.
    ParentUp,
    /// Needed keys exist.
    KeyPresent,
    /// The function is switched on as a whole.
    FeatureOn,
    /// This release still has the function.
    InVersion,
}

/// A link and whether it holds.
#[derive(Clone, Debug)]
pub struct LiveLink {
    /// What it hangs on.
    pub what: LinkKind,
    /// Whether that holds.
    pub holds: Fact<bool>,
}

/// Own switch and everything it hangs on.
#[derive(Clone, Debug)]
pub struct Live {
    /// Its own switch.
    pub own: Fact<bool>,
    /// What it hangs on.
    pub links: Vec<LiveLink>,
}

impl Live {
    /// Something with a switch and no links.
    pub fn own(own: Fact<bool>) -> Live {
        Live { own, links: Vec::new() }
    }

    /// Adds a link.
    pub fn with(mut self, what: LinkKind, holds: Fact<bool>) -> Live {
        self.links.push(LiveLink { what, holds });
        self
    }

    /// The links alone: would it live if it were switched on? An empty list holds by the switch's own origin.
    pub fn if_enabled(&self) -> Fact<bool> {
        let mut links = self.links.iter().map(|l| &l.holds);
        match links.next() {
            None => Fact::known(true, self.own.origin.clone()),
            Some(first) => links.fold(first.clone(), |acc, l| acc.and(l)),
        }
    }

    /// Switch and links together.
    pub fn value(&self) -> Fact<bool> {
        if self.links.is_empty() { self.own.clone() } else { self.own.and(&self.if_enabled()) }
    }
}
