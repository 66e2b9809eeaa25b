//! Syntax tree to compiled form: resolves names, checks types and words against the schema.
//!
//! Total: a tree gives the compiled form or all its mistakes, each at its place. A mistake in one operand does not hide
//! those in the others. Words of closed enumerations are checked wherever one is compared, so a misspelt word is an error and never a predicate that silently does not fire.

use super::expr::{Number, Truth, Word, Words};
use super::parse::{Ast, Name, Node};
use super::{Constant, Constants, Read, Root};
use crate::ir::record::NEVER;
use crate::ir::schema::{DEVICE, FieldDef, Kind, Type};
use crate::rule::error::{RuleError, keys};
use std::ops::Range;

/// How many quantifiers may stand inside each other; bounds the time of an evaluation.
const NESTED_QUANTIFIERS: usize = 2;

/// Names with a meaning of their own.
const RESERVED: &[&str] = &["it", "device", "never", "true", "false", "in"];
const METHODS: &[&str] = &["size", "contains", "exists", "all"];
const FUNCTIONS: &[&str] = &["surely", "possibly"];

/// Compiles a tree against a kind and constants.
pub(super) fn compile(tree: &Ast, kind: &'static Kind, constants: &Constants) -> Result<Truth, Vec<RuleError>> {
    let mut checker = Checker { kind, constants, variables: Vec::new(), errors: Vec::new() };
    match checker.truth(tree) {
        Some(truth) if checker.errors.is_empty() => Ok(truth),
        _ => Err(checker.errors),
    }
}

/// The words a word can be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Vocabulary {
    /// Anything: free text, a literal, an enumeration that is open.
    Open,
    /// One of these.
    Closed(&'static [&'static str]),
}

enum Typed {
    Truth(Truth),
    Number(Number),
    Word(Word, Vocabulary),
    Words(Words, Vocabulary),
}

impl Typed {
    fn name(&self) -> &'static str {
        match self {
            Typed::Truth(_) => "bool",
            Typed::Number(_) => "int",
            Typed::Word(..) => "text",
            Typed::Words(Words::List(_), _) => "list",
            Typed::Words(Words::Field(_), _) => "set",
        }
    }
}

struct Checker<'a> {
    kind: &'static Kind,
    constants: &'a Constants,
    variables: Vec<(String, Vocabulary)>,
    errors: Vec<RuleError>,
}

impl Checker<'_> {
    /// `None` after a mistake was noted; the same holds for all methods below.
    fn infer(&mut self, tree: &Ast) -> Option<Typed> {
        match &tree.node {
            Node::Bool(b) => Some(Typed::Truth(Truth::Literal(*b))),
            Node::Int(n) => Some(Typed::Number(Number::Literal(*n))),
            Node::Text(t) => Some(Typed::Word(Word::Literal(t.clone()), Vocabulary::Open)),
            Node::List(items) => self.list(items),
            Node::Name(name) => self.name(name, &tree.span),
            Node::Field(on, name) => self.field(on, name),
            Node::Call { on: None, name, args } => self.function(tree, name, args),
            Node::Call { on: Some(on), name, args } => self.method(tree, on, name, args),
            Node::Not(x) => self.truth(x).map(|x| Typed::Truth(Truth::Not(Box::new(x)))),
            Node::And(parts) => self.truths(parts).map(|p| Typed::Truth(Truth::And(p))),
            Node::Or(parts) => self.truths(parts).map(|p| Typed::Truth(Truth::Or(p))),
            Node::Compare("in", a, b) => self.membership(a, b).map(Typed::Truth),
            Node::Compare(op @ ("==" | "!="), a, b) => {
                let equal = self.equality(tree, a, b)?;
                Some(Typed::Truth(if *op == "==" { equal } else { Truth::Not(Box::new(equal)) }))
            }
            Node::Compare(op, a, b) => {
                let (a, b) = both(self.number(a), self.number(b))?;
                Some(Typed::Truth(match *op {
                    "<" => Truth::Less(Box::new((a, b))),
                    "<=" => Truth::AtMost(Box::new((a, b))),
                    ">" => Truth::Less(Box::new((b, a))),
                    _ => Truth::AtMost(Box::new((b, a))),
                }))
            }
            Node::If(c, a, b) => self.conditional(tree, c, a, b),
        }
    }

    fn truth(&mut self, tree: &Ast) -> Option<Truth> {
        match self.infer(tree)? {
            Typed::Truth(truth) => Some(truth),
            other => self.expected(tree, "bool", &other),
        }
    }

    fn truths(&mut self, parts: &[Ast]) -> Option<Vec<Truth>> {
        let found: Vec<Option<Truth>> = parts.iter().map(|p| self.truth(p)).collect();
        found.into_iter().collect()
    }

    fn number(&mut self, tree: &Ast) -> Option<Number> {
        match self.infer(tree)? {
            Typed::Number(number) => Some(number),
            other => self.expected(tree, "int", &other),
        }
    }

    fn word(&mut self, tree: &Ast) -> Option<(Word, Vocabulary)> {
        match self.infer(tree)? {
            Typed::Word(word, vocabulary) => Some((word, vocabulary)),
            other => self.expected(tree, "text", &other),
        }
    }

    fn words(&mut self, tree: &Ast) -> Option<(Words, Vocabulary)> {
        match self.infer(tree)? {
            Typed::Words(words, vocabulary) => Some((words, vocabulary)),
            other => self.expected(tree, "set", &other),
        }
    }

    fn list(&mut self, items: &[Ast]) -> Option<Typed> {
        let words: Vec<Option<String>> = (items.iter())
            .map(|item| match self.infer(item)? {
                Typed::Word(Word::Literal(text), _) => Some(text),
                _ => self.wrong(RuleError::new(keys::LIST_OF_LITERALS, item.span.clone(), [])),
            })
            .collect();
        let words: Option<Vec<String>> = words.into_iter().collect();
        Some(Typed::Words(Words::List(words?), Vocabulary::Open))
    }

    /// A bare name: variable, `never`, constant, or field of `it`, in this order.
    fn name(&mut self, name: &str, span: &Range<usize>) -> Option<Typed> {
        if let Some(ix) = self.variables.iter().rposition(|(v, _)| v == name) {
            return Some(Typed::Word(Word::Variable(ix), self.variables[ix].1));
        }
        if name == "never" {
            return Some(Typed::Number(Number::Literal(NEVER)));
        }
        if let Some(constant) = self.constants.get(name) {
            return Some(match constant {
                Constant::Int(n) => Typed::Number(Number::Literal(*n)),
                Constant::Text(text) => Typed::Word(Word::Literal(text.clone()), Vocabulary::Open),
                Constant::List(words) => Typed::Words(Words::List(words.clone()), Vocabulary::Open),
            });
        }
        if let Some(ix) = self.kind.index(name) {
            return Some(of_field(Read { root: Root::It, field: ix }, &self.kind.fields[ix]));
        }
        if name == "it" || name == "device" {
            return self.wrong(RuleError::new(keys::RECORD_IS_NO_VALUE, span.clone(), [name]).with_valid("", self.fields_of(name)));
        }
        let fields = self.kind.fields.iter().map(|f| f.name);
        let variables = self.variables.iter().map(|(v, _)| v.as_str());
        let valid = fields.chain(self.constants.keys().map(String::as_str)).chain(variables).chain(["device", "never"]);
        let error = RuleError::new(keys::UNKNOWN_NAME, span.clone(), [name, self.kind.name]).with_valid(name, valid);
        self.wrong(error)
    }

    fn field(&mut self, on: &Ast, name: &Name) -> Option<Typed> {
        let root = match &on.node {
            Node::Name(root) if root == "it" => Root::It,
            Node::Name(root) if root == "device" => Root::Device,
            _ => {
                self.infer(on)?;
                return self.wrong(RuleError::new(keys::VALUE_HAS_NO_FIELDS, name.span.clone(), [&name.text]));
            }
        };
        let kind = if root == Root::It { self.kind } else { &DEVICE };
        match kind.index(&name.text) {
            Some(ix) => Some(of_field(Read { root, field: ix }, &kind.fields[ix])),
            None => {
                let error = RuleError::new(keys::UNKNOWN_FIELD, name.span.clone(), [&name.text, kind.name]);
                self.wrong(error.with_valid(&name.text, kind.fields.iter().map(|f| f.name)))
            }
        }
    }

    fn function(&mut self, tree: &Ast, name: &Name, args: &[Ast]) -> Option<Typed> {
        let wrap = match name.text.as_str() {
            "surely" => Truth::Surely,
            "possibly" => Truth::Possibly,
            other => {
                let error = RuleError::new(keys::UNKNOWN_FUNCTION, name.span.clone(), [other]);
                return self.wrong(error.with_valid(other, FUNCTIONS.iter().copied()));
            }
        };
        let [arg] = args else { return self.argument_count(tree, name, 1, args.len()) };
        self.truth(arg).map(|x| Typed::Truth(wrap(Box::new(x))))
    }

    fn method(&mut self, tree: &Ast, on: &Ast, name: &Name, args: &[Ast]) -> Option<Typed> {
        let wanted = match name.text.as_str() {
            "size" => 0,
            "contains" => 1,
            "exists" | "all" => 2,
            other => {
                let error = RuleError::new(keys::UNKNOWN_METHOD, name.span.clone(), [other]);
                return self.wrong(error.with_valid(other, METHODS.iter().copied()));
            }
        };
        match (name.text.as_str(), args) {
            ("size", []) => self.words(on).map(|(words, _)| Typed::Number(Number::Size(words))),
            ("contains", [word]) => self.membership(word, on).map(Typed::Truth),
            ("exists" | "all", [variable, body]) => self.quantifier(on, &name.text, variable, body).map(Typed::Truth),
            _ => self.argument_count(tree, name, wanted, args.len()),
        }
    }

    fn quantifier(&mut self, on: &Ast, name: &str, variable: &Ast, body: &Ast) -> Option<Truth> {
        let set = self.words(on);
        let Node::Name(variable_name) = &variable.node else {
            return self.wrong(RuleError::new(keys::VARIABLE_EXPECTED, variable.span.clone(), [name]));
        };
        if RESERVED.contains(&variable_name.as_str()) {
            return self.wrong(RuleError::new(keys::VARIABLE_RESERVED, variable.span.clone(), [variable_name]));
        }
        if self.variables.len() >= NESTED_QUANTIFIERS {
            let limit = NESTED_QUANTIFIERS.to_string();
            return self.wrong(RuleError::new(keys::QUANTIFIERS_NESTED, variable.span.clone(), [&limit]));
        }
        // A set that could not be read still lets the body be checked, with any word for its elements.
        let vocabulary = set.as_ref().map_or(Vocabulary::Open, |(_, vocabulary)| *vocabulary);
        self.variables.push((variable_name.clone(), vocabulary));
        let body = self.truth(body);
        self.variables.pop();
        let ((set, _), body) = both(set, body)?;
        Some(if name == "exists" { Truth::Exists(Box::new((set, body))) } else { Truth::All(Box::new((set, body))) })
    }

    /// `word in set`
    fn membership(&mut self, word_tree: &Ast, set_tree: &Ast) -> Option<Truth> {
        let ((word, word_words), (set, set_words)) = both(self.word(word_tree), self.words(set_tree))?;
        let fits = match (&word, &set) {
            (_, Words::List(_)) => self.words_fit(set_tree, word_words),
            (Word::Field(_) | Word::Variable(_), Words::Field(_)) => {
                self.overlap(&(word_tree.span.start..set_tree.span.end), word_words, set_words)
            }
            (_, Words::Field(_)) => self.words_fit(word_tree, set_words),
        };
        fits.then(|| Truth::In(Box::new((word, set))))
    }

    /// `a == b`
    fn equality(&mut self, tree: &Ast, a_tree: &Ast, b_tree: &Ast) -> Option<Truth> {
        let (a, b) = both(self.infer(a_tree), self.infer(b_tree))?;
        match (a, b) {
            (Typed::Truth(a), Typed::Truth(b)) => Some(Truth::Alike(Box::new((a, b)))),
            (Typed::Number(a), Typed::Number(b)) => Some(Truth::Equal(Box::new((a, b)))),
            (Typed::Word(a, a_words), Typed::Word(b, b_words)) => {
                let fits = match (a_words, b_words) {
                    (Vocabulary::Closed(_), Vocabulary::Closed(_)) => self.overlap(&tree.span, a_words, b_words),
                    (Vocabulary::Closed(_), Vocabulary::Open) => self.words_fit(b_tree, a_words),
                    (Vocabulary::Open, _) => self.words_fit(a_tree, b_words),
                };
                fits.then(|| Truth::Same(Box::new((a, b))))
            }
            (a, b) => self.wrong(RuleError::new(keys::TYPES_DIFFER, tree.span.clone(), [a.name(), b.name()])),
        }
    }

    /// `c ? a : b`
    fn conditional(&mut self, tree: &Ast, c: &Ast, a: &Ast, b: &Ast) -> Option<Typed> {
        let (c, (a, b)) = both(self.truth(c), both(self.infer(a), self.infer(b)))?;
        match (a, b) {
            (Typed::Truth(a), Typed::Truth(b)) => Some(Typed::Truth(Truth::If(Box::new((c, a, b))))),
            (Typed::Number(a), Typed::Number(b)) => Some(Typed::Number(Number::If(Box::new((c, a, b))))),
            (Typed::Word(a, a_words), Typed::Word(b, b_words)) => {
                let vocabulary = if a_words == b_words { a_words } else { Vocabulary::Open };
                Some(Typed::Word(Word::If(Box::new((c, a, b))), vocabulary))
            }
            (a @ Typed::Words(..), _) => self.expected(tree, "bool, int, text", &a),
            (a, b) => self.wrong(RuleError::new(keys::TYPES_DIFFER, tree.span.clone(), [a.name(), b.name()])),
        }
    }

    /// Checks every literal and constant that `tree` may give as a word against an enumeration.
    fn words_fit(&mut self, tree: &Ast, vocabulary: Vocabulary) -> bool {
        let Vocabulary::Closed(words) = vocabulary else { return true };
        let mut written: Vec<&str> = Vec::new();
        match &tree.node {
            Node::Text(text) => written.push(text),
            Node::List(items) => return items.iter().filter(|item| !self.words_fit(item, vocabulary)).count() == 0,
            Node::If(_, a, b) => {
                let (a, b) = (self.words_fit(a, vocabulary), self.words_fit(b, vocabulary));
                return a && b;
            }
            Node::Name(name) if !self.variables.iter().any(|(v, _)| v == name) => match self.constants.get(name) {
                Some(Constant::Text(text)) => written.push(text),
                Some(Constant::List(list)) => written.extend(list.iter().map(String::as_str)),
                Some(Constant::Int(_)) | None => {}
            },
            _ => {}
        }
        let wrong: Vec<RuleError> = (written.iter().filter(|w| !words.contains(*w)))
            .map(|w| RuleError::new(keys::UNKNOWN_WORD, tree.span.clone(), [w]).with_valid(w, words.iter().copied()))
            .collect();
        let fits = wrong.is_empty();
        self.errors.extend(wrong);
        fits
    }

    /// Two enumerations without a common word can never be equal: surely a slip.
    fn overlap(&mut self, span: &Range<usize>, a: Vocabulary, b: Vocabulary) -> bool {
        let (Vocabulary::Closed(a), Vocabulary::Closed(b)) = (a, b) else { return true };
        let meet = a.iter().any(|w| b.contains(w));
        if !meet {
            self.errors.push(RuleError::new(keys::NEVER_EQUAL, span.clone(), []));
        }
        meet
    }

    fn fields_of(&self, root: &str) -> impl Iterator<Item = &'static str> + use<> {
        let kind = if root == "it" { self.kind } else { &DEVICE };
        kind.fields.iter().map(|f| f.name)
    }

    fn argument_count<T>(&mut self, tree: &Ast, name: &Name, wanted: usize, found: usize) -> Option<T> {
        let (wanted, found) = (wanted.to_string(), found.to_string());
        self.wrong(RuleError::new(keys::ARGUMENT_COUNT, tree.span.clone(), [&name.text, &wanted, &found]))
    }

    fn expected<T>(&mut self, tree: &Ast, wanted: &str, found: &Typed) -> Option<T> {
        self.wrong(RuleError::new(keys::EXPECTED_TYPE, tree.span.clone(), [wanted, found.name()]))
    }

    fn wrong<T>(&mut self, error: RuleError) -> Option<T> {
        self.errors.push(error);
        None
    }
}

fn of_field(read: Read, field: &FieldDef) -> Typed {
    let vocabulary = |words: &'static [&'static str]| if words.is_empty() { Vocabulary::Open } else { Vocabulary::Closed(words) };
    match field.ty {
        Type::Bool => Typed::Truth(Truth::Field(read)),
        Type::Int => Typed::Number(Number::Field(read)),
        Type::Word(words) => Typed::Word(Word::Field(read), vocabulary(words)),
        Type::Text => Typed::Word(Word::Field(read), Vocabulary::Open),
        Type::Set(words) => Typed::Words(Words::Field(read), vocabulary(words)),
    }
}

/// Both, after both were tried.
fn both<A, B>(a: Option<A>, b: Option<B>) -> Option<(A, B)> {
    Some((a?, b?))
}

#[cfg(test)]
mod tests {
    use super::super::{Constant, Constants, compile};
    use crate::ir::schema;

    fn constants() -> Constants {
        [
            ("BROAD".to_owned(), Constant::List(vec!["any".into(), "broad".into()])),
            ("TYPO".to_owned(), Constant::List(vec!["any".into(), "brod".into()])),
            ("LIMIT".to_owned(), Constant::Int(1800)),
            ("WORST".to_owned(), Constant::Text("any".into())),
        ]
        .into()
    }

    fn passes(kind: &str, source: &str) {
        let found = compile(source, schema::kind(kind).unwrap(), &constants());
        assert!(found.is_ok(), "{source}: {:?}", found.unwrap_err());
    }

    /// Expects exactly these mistakes: key, text at the place, what was meant.
    fn fails(kind: &str, source: &str, expected: &[(&str, &str, Option<&str>)]) {
        let errors = compile(source, schema::kind(kind).unwrap(), &constants()).unwrap_err();
        let found: Vec<_> = errors.iter().map(|e| (e.key, &source[e.span.clone()], e.meant.as_deref())).collect();
        assert_eq!(found, expected, "{source}");
    }

    #[test]
    fn names_resolve_to_fields_constants_and_variables() {
        passes("exposure", "it.class in BROAD && class == WORST");
        passes("login_policy", "LIMIT < idle_s && idle_s < never");
        passes("proposal", r#"weak.exists(w, w == "des") && weak.all(class, class != "des")"#);
        passes("tunnel", r#""password_policy" in device.can || device.can.contains("ntp_client")"#);
        passes("tunnel", "accepted_reason == \"\" && peer != accepted_reason");
    }

    #[test]
    fn misspelt_names_find_their_neighbours() {
        fails("exposure", "plan == \"vpn\"", &[("unknown_name", "plan", Some("plane"))]);
        fails("exposure", "it.clas == \"any\"", &[("unknown_field", "clas", Some("class"))]);
        fails("exposure", "class in BROD", &[("unknown_name", "BROD", Some("BROAD"))]);
        fails("exposure", "device.rol == \"ap\"", &[("unknown_field", "rol", Some("role"))]);
        fails("proposal", "0 < weak.length()", &[("unknown_method", "length", None)]);
        fails("exposure", "sure(live)", &[("unknown_function", "sure", Some("surely"))]);
        fails("exposure", "device", &[("record_is_no_value", "device", None)]);
        fails("exposure", "class.name == \"any\"", &[("value_has_no_fields", "name", None)]);
    }

    #[test]
    fn an_unknown_field_lists_the_valid_ones() {
        let errors = compile("it.zzz", schema::kind("clock").unwrap(), &constants()).unwrap_err();
        assert_eq!(errors[0].help, ["sources", "host_os"]);
        assert_eq!(errors[0].args, ["zzz", "clock"]);
    }

    #[test]
    fn words_outside_their_enumeration_are_mistakes_wherever_they_stand() {
        fails("exposure", r#"plane == "managment""#, &[("unknown_word", "\"managment\"", Some("management"))]);
        fails("exposure", r#""brod" != class"#, &[("unknown_word", "\"brod\"", Some("broad"))]);
        fails("exposure", r#"class in ["any", "brod"]"#, &[("unknown_word", "\"brod\"", Some("broad"))]);
        fails("exposure", "class in TYPO", &[("unknown_word", "TYPO", Some("broad"))]);
        fails("exposure", r#"class == (live ? "any" : "brod")"#, &[("unknown_word", "\"brod\"", Some("broad"))]);
        fails("proposal", r#""dess" in weak"#, &[("unknown_word", "\"dess\"", Some("des"))]);
        fails("proposal", r#"weak.contains("dess")"#, &[("unknown_word", "\"dess\"", Some("des"))]);
        fails("proposal", r#"weak.exists(w, w == "dess")"#, &[("unknown_word", "\"dess\"", Some("des"))]);
        fails("exposure", "class == plane", &[("never_equal", "class == plane", None)]);
    }

    #[test]
    fn types_must_agree() {
        fails("exposure", "class && live", &[("expected_type", "class", None)]);
        fails("login_policy", "idle_s < true", &[("expected_type", "true", None)]);
        fails("login_policy", "idle_s == \"x\"", &[("types_differ", "idle_s == \"x\"", None)]);
        fails("exposure", "class < \"any\"", &[("expected_type", "class", None), ("expected_type", "\"any\"", None)]);
        fails("exposure", "live.size() == 1", &[("expected_type", "live", None)]);
        fails("exposure", "class in live", &[("expected_type", "live", None)]);
        fails("exposure", "class", &[("expected_type", "class", None)]);
        fails("proposal", "live ? weak : weak", &[("expected_type", "live ? weak : weak", None)]);
        fails("exposure", "live ? class : live", &[("types_differ", "live ? class : live", None)]);
        fails("exposure", "class in [1]", &[("list_of_literals", "1", None)]);
    }

    #[test]
    fn all_mistakes_are_reported() {
        fails(
            "exposure",
            r#"plan == "vpn" && (!lve || class == "brod")"#,
            &[("unknown_name", "plan", Some("plane")), ("unknown_name", "lve", Some("live")), ("unknown_word", "\"brod\"", Some("broad"))],
        );
    }

    #[test]
    fn quantifiers_and_calls_have_their_shape() {
        fails("proposal", "weak.exists(w)", &[("argument_count", "weak.exists(w)", None)]);
        fails("proposal", "weak.size(1)", &[("argument_count", "weak.size(1)", None)]);
        fails("proposal", "surely()", &[("argument_count", "surely()", None)]);
        fails("proposal", "weak.all(1, true)", &[("variable_expected", "1", None)]);
        fails("proposal", "weak.all(it, true)", &[("variable_reserved", "it", None)]);
        passes("proposal", "weak.all(a, weak.all(b, a == b))");
        fails("proposal", "weak.all(a, weak.all(b, weak.all(c, true)))", &[("quantifiers_nested", "c", None)]);
        fails("proposal", "weak.all(a, true) && a == \"des\"", &[("unknown_name", "a", None)]);
    }
}
