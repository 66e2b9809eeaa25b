//! Colours of the text form: four hues, bold and dim, or nothing at all.
//!
//! Knows no meaning. Invariant: what is painted is closed again in the same string.

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hue {
    Red,
    Yellow,
    Cyan,
    Plain,
}

/// A brush, which may be dry.
#[derive(Clone, Copy)]
pub(super) struct Paint {
    pub on: bool,
}

impl Paint {
    pub fn bold(self, hue: Hue, text: &str) -> String {
        let code = match hue {
            Hue::Red => "1;31",
            Hue::Yellow => "1;33",
            Hue::Cyan => "1;36",
            Hue::Plain => "1",
        };
        self.with(code, text)
    }

    /// The cyan of commands.
    pub fn command(self, text: &str) -> String {
        self.with("36", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() { format!("\u{1B}[{code}m{text}\u{1B}[0m") } else { text.to_owned() }
    }
}
