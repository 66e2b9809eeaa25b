//! Sentences a user reads, in Japanese and English, from `texts/*.toml`. Code holds keys, never sentences.
//!
//! A text is any table with the strings `ja` and `en`; its key is the file's name and the path to the table, joined by dots.
//! Placeholders are `{0}`, `{1}` or named ones; a value is put in as it is.

use crate::finding::Lang;
use foldhash::fast::RandomState as Quick;
use std::collections::HashMap;
use std::sync::OnceLock;

mod embedded;

/// All sentences, in both languages.
#[derive(Debug, Default)]
pub struct Texts {
    by_key: HashMap<String, (String, String), Quick>,
    aliases: HashMap<String, String, Quick>,
}

/// The embedded sentences. A test checks that every file can be read; one that cannot would leave its keys without text.
pub fn texts() -> &'static Texts {
    static TEXTS: OnceLock<Texts> = OnceLock::new();
    TEXTS.get_or_init(|| {
        let mut texts = Texts::default();
        for (name, text) in embedded::FILES {
            if let Ok(table) = text.parse::<toml::Table>() {
                texts.collect(name, &table);
            }
        }
        texts
    })
}

impl Texts {
    fn collect(&mut self, prefix: &str, table: &toml::Table) {
        if let (Some(toml::Value::String(ja)), Some(toml::Value::String(en))) = (table.get("ja"), table.get("en")) {
            self.by_key.insert(prefix.to_owned(), (ja.clone(), en.clone()));
        }
        for (key, value) in table {
            match value {
                toml::Value::Table(inner) => self.collect(&format!("{prefix}.{key}"), inner),
                toml::Value::String(other) if key != "ja" && key != "en" => {
                    self.aliases.insert(format!("{prefix}.{key}"), other.clone());
                }
                _ => {}
            }
        }
    }

    /// The text of a key, if there is one.
    pub fn find(&self, lang: Lang, key: &str) -> Option<&str> {
        self.by_key.get(key).map(|(ja, en)| if lang == Lang::Ja { ja.as_str() } else { en.as_str() })
    }

    /// What a table of aliases says for a name.
    pub fn alias(&self, table: &str, name: &str) -> Option<&str> {
        self.aliases.get(&format!("{table}.{name}")).map(String::as_str)
    }

    /// The text of a key; the key itself when there is none, so that a gap is seen and nothing is lost.
    pub fn get<'a>(&'a self, lang: Lang, key: &'a str) -> &'a str {
        self.find(lang, key).unwrap_or(key)
    }

    /// The text of a key with `{0}`, `{1}` ... filled in.
    pub fn fill(&self, lang: Lang, key: &str, args: &[&str]) -> String {
        let mut rest = self.get(lang, key);
        let mut text = String::with_capacity(rest.len() + args.iter().map(|a| a.len()).sum::<usize>());
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let filled = after.split_once('}').and_then(|(ix, after)| Some((args.get(ix.parse::<usize>().ok()?)?, after)));
            match filled {
                Some((arg, after)) => {
                    text.push_str(arg);
                    rest = after;
                }
                None => {
                    text.push('{');
                    rest = after;
                }
            }
        }
        text.push_str(rest);
        text
    }

    /// Every key, sorted, for tests and documentation.
    pub fn keys(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = self.by_key.keys().map(String::as_str).collect();
        keys.sort_unstable();
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_as_they_are() {
        let mut texts = Texts::default();
        let text = "{1} before {0}, {2} and {name} stay, {".to_owned();
        texts.by_key.insert("k".to_owned(), (String::new(), text));
        assert_eq!(texts.fill(Lang::En, "k", &["{1}", "b"]), "b before {1}, {2} and {name} stay, {");
        assert_eq!(texts.fill(Lang::En, "none {0}", &["x"]), "none x");
    }
}
