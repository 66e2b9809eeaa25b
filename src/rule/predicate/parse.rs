//! Tokens to a syntax tree: a strict subset of the syntax of CEL (Common Expression Language), without backtracking, so in linear time.
//!
//! ```text
//! expression = or [ "?" or ":" expression ]
//! or         = and ( "||" and )*
//! and        = relation ( "&&" relation )*
//! relation   = unary [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" ) unary ]
//! unary      = "!"* postfix | "-" int
//! postfix    = primary ( "." name [ arguments ] )*
//! primary    = int | text | "true" | "false" | name [ arguments ] | "(" expression ")" | "[" [ expression ( "," expression )* ] "]"
//! arguments  = "(" [ expression ( "," expression )* ] ")"
//! ```
//!
//! Not in the subset: arithmetic, maps, indexing, chained comparisons. The depth of the tree is bounded by [`DEEPEST`],
//! so whatever walks it may recurse.

use super::lex::{Placed, Token};
use crate::rule::error::{RuleError, keys};
use std::ops::Range;

/// How deep brackets, conditionals and method chains may nest.
pub(super) const DEEPEST: usize = 64;

/// An expression and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Ast {
    pub(super) node: Node,
    pub(super) span: Range<usize>,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Ast>),
    Name(String),
    Field(Box<Ast>, Name),
    Call { on: Option<Box<Ast>>, name: Name, args: Vec<Ast> },
    Not(Box<Ast>),
    And(Vec<Ast>),
    Or(Vec<Ast>),
    Compare(&'static str, Box<Ast>, Box<Ast>),
    If(Box<Ast>, Box<Ast>, Box<Ast>),
}

#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) span: Range<usize>,
}

/// The tree of a whole predicate; the first mistake ends the parsing.
pub(super) fn parse(source: &str, tokens: &[Placed<'_>]) -> Result<Ast, RuleError> {
    let mut parser = Parser { source, tokens, at: 0, depth: 0 };
    let tree = parser.expression()?;
    let Some(extra) = parser.peek() else { return Ok(tree) };
    let error = RuleError::new(keys::LEFT_OVER, extra.span.clone(), [parser.text(&extra.span)]);
    Err(match &extra.token {
        Token::Name("and") => error.meaning("&&"),
        Token::Name("or") => error.meaning("||"),
        _ => error,
    })
}

struct Parser<'a> {
    source: &'a str,
    tokens: &'a [Placed<'a>],
    at: usize,
    depth: usize,
}

type Parsed = Result<Ast, RuleError>;

impl<'a> Parser<'a> {
    fn expression(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.too_deep());
        }
        let condition = self.or()?;
        let tree = if self.eat("?").is_some() {
            let yes = self.or()?;
            self.expect(":")?;
            let no = self.expression()?;
            Ast { span: condition.span.start..no.span.end, node: Node::If(Box::new(condition), Box::new(yes), Box::new(no)) }
        } else {
            condition
        };
        self.depth -= 1;
        Ok(tree)
    }

    fn or(&mut self) -> Parsed {
        self.joined("||", Parser::and, Node::Or)
    }

    fn and(&mut self) -> Parsed {
        self.joined("&&", Parser::relation, Node::And)
    }

    /// A chain of one operator becomes one flat node: its length costs no depth.
    fn joined(&mut self, operator: &str, part: fn(&mut Self) -> Parsed, node: fn(Vec<Ast>) -> Node) -> Parsed {
        let first = part(self)?;
        if !self.is(operator) {
            return Ok(first);
        }
        let (start, mut end) = (first.span.start, first.span.end);
        let mut parts = vec![first];
        while self.eat(operator).is_some() {
            let next = part(self)?;
            end = next.span.end;
            parts.push(next);
        }
        Ok(Ast { node: node(parts), span: start..end })
    }

    fn relation(&mut self) -> Parsed {
        let left = self.unary()?;
        let Some(operator) = self.comparison() else { return Ok(left) };
        self.at += 1;
        let right = self.unary()?;
        if self.comparison().is_some() {
            return Err(RuleError::new(keys::CHAINED_COMPARISON, self.here(), []));
        }
        Ok(Ast { span: left.span.start..right.span.end, node: Node::Compare(operator, Box::new(left), Box::new(right)) })
    }

    fn comparison(&self) -> Option<&'static str> {
        match &self.peek()?.token {
            Token::Name("in") => Some("in"),
            Token::Symbol(s @ ("==" | "!=" | "<" | "<=" | ">" | ">=")) => Some(s),
            _ => None,
        }
    }

    fn unary(&mut self) -> Parsed {
        let start = self.here().start;
        let mut bangs = 0usize;
        while self.eat("!").is_some() {
            bangs += 1;
        }
        let mut tree = if bangs == 0 && self.eat("-").is_some() { self.negative(start)? } else { self.postfix()? };
        // Two negations cancel but still want a truth value below them, so an even number leaves two.
        for _ in 0..bangs.min(2 - bangs % 2) {
            tree = Ast { span: start..tree.span.end, node: Node::Not(Box::new(tree)) };
        }
        Ok(tree)
    }

    fn negative(&mut self, start: usize) -> Parsed {
        match self.peek() {
            Some(Placed { token: Token::Int(n), span }) => {
                self.at += 1;
                Ok(Ast { node: Node::Int(-n), span: start..span.end })
            }
            _ => Err(self.value_expected()),
        }
    }

    fn postfix(&mut self) -> Parsed {
        let mut tree = self.primary()?;
        let mut links = 0;
        while self.eat(".").is_some() {
            links += 1;
            if self.depth + links > DEEPEST {
                return Err(self.too_deep());
            }
            let name = self.name()?;
            let start = tree.span.start;
            tree = if self.is("(") {
                let (args, end) = self.list("(", ")")?;
                Ast { node: Node::Call { on: Some(Box::new(tree)), name, args }, span: start..end }
            } else {
                let end = name.span.end;
                Ast { node: Node::Field(Box::new(tree), name), span: start..end }
            };
        }
        Ok(tree)
    }

    fn primary(&mut self) -> Parsed {
        let Some(Placed { token, span }) = self.peek() else { return Err(self.value_expected()) };
        let node = match token {
            Token::Int(n) => Node::Int(*n),
            Token::Text(text) => Node::Text(text.clone()),
            Token::Name("true") => Node::Bool(true),
            Token::Name("false") => Node::Bool(false),
            Token::Name("in") => return Err(self.value_expected()),
            Token::Name(name) => {
                self.at += 1;
                let name = Name { text: (*name).to_owned(), span: span.clone() };
                if !self.is("(") {
                    return Ok(Ast { node: Node::Name(name.text), span: span.clone() });
                }
                let (args, end) = self.list("(", ")")?;
                return Ok(Ast { span: span.start..end, node: Node::Call { on: None, name, args } });
            }
            Token::Symbol("(") => {
                self.at += 1;
                let inner = self.expression()?;
                let end = self.expect(")")?;
                return Ok(Ast { span: span.start..end, node: inner.node });
            }
            Token::Symbol("[") => {
                let (items, end) = self.list("[", "]")?;
                return Ok(Ast { span: span.start..end, node: Node::List(items) });
            }
            Token::Symbol(_) => return Err(self.value_expected()),
        };
        self.at += 1;
        Ok(Ast { node, span: span.clone() })
    }

    /// Expressions between brackets, separated by commas, and where the closing bracket ends.
    fn list(&mut self, open: &'static str, close: &'static str) -> Result<(Vec<Ast>, usize), RuleError> {
        self.expect(open)?;
        let mut items = Vec::new();
        if let Some(end) = self.eat(close) {
            return Ok((items, end));
        }
        loop {
            items.push(self.expression()?);
            if self.eat(",").is_none() {
                return Ok((items, self.expect(close)?));
            }
        }
    }

    fn name(&mut self) -> Result<Name, RuleError> {
        match self.peek() {
            Some(Placed { token: Token::Name(name), span }) => {
                self.at += 1;
                Ok(Name { text: (*name).to_owned(), span: span.clone() })
            }
            _ => Err(self.value_expected()),
        }
    }

    fn peek(&self) -> Option<&'a Placed<'a>> {
        self.tokens.get(self.at)
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.peek(), Some(Placed { token: Token::Symbol(s), .. }) if *s == symbol)
    }

    /// Takes the symbol if it is next; gives where it ends.
    fn eat(&mut self, symbol: &str) -> Option<usize> {
        let end = self.peek().filter(|_| self.is(symbol))?.span.end;
        self.at += 1;
        Some(end)
    }

    fn expect(&mut self, symbol: &'static str) -> Result<usize, RuleError> {
        if let Some(end) = self.eat(symbol) {
            return Ok(end);
        }
        let found = self.peek().map_or("", |t| self.text(&t.span));
        Err(match found {
            "" => RuleError::new(keys::UNEXPECTED_END, self.here(), []).meaning(symbol),
            found => RuleError::new(keys::EXPECTED_SYMBOL, self.here(), [symbol, found]),
        })
    }

    fn value_expected(&self) -> RuleError {
        match self.peek() {
            Some(found) => RuleError::new(keys::EXPECTED_VALUE, found.span.clone(), [self.text(&found.span)]),
            None => RuleError::new(keys::UNEXPECTED_END, self.here(), []),
        }
    }

    fn too_deep(&self) -> RuleError {
        RuleError::new(keys::TOO_DEEP, self.here(), [&DEEPEST.to_string()])
    }

    /// The next token's range, or the end of the text.
    fn here(&self) -> Range<usize> {
        self.peek().map_or(self.source.len()..self.source.len(), |t| t.span.clone())
    }

    fn text(&self, span: &Range<usize>) -> &'a str {
        self.source.get(span.clone()).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::super::lex::tokens;
    use super::*;

    /// The tree in prefix form.
    fn show(tree: &Ast) -> String {
        let all = |head: &str, parts: &[Ast]| format!("({head} {})", parts.iter().map(show).collect::<Vec<_>>().join(" "));
        match &tree.node {
            Node::Bool(b) => b.to_string(),
            Node::Int(n) => n.to_string(),
            Node::Text(t) => format!("{t:?}"),
            Node::List(items) => all("list", items),
            Node::Name(n) => n.clone(),
            Node::Field(on, name) => format!("{}.{}", show(on), name.text),
            Node::Call { on, name, args } => {
                let head = on.as_ref().map_or(name.text.clone(), |on| format!("{}.{}", show(on), name.text));
                all(&head, args)
            }
            Node::Not(x) => format!("(! {})", show(x)),
            Node::And(parts) => all("&&", parts),
            Node::Or(parts) => all("||", parts),
            Node::Compare(op, a, b) => format!("({op} {} {})", show(a), show(b)),
            Node::If(c, a, b) => format!("(? {} {} {})", show(c), show(a), show(b)),
        }
    }

    fn check(source: &str, expected: &str) {
        let tree = parse(source, &tokens(source).unwrap()).unwrap();
        assert_eq!(show(&tree), expected);
        assert_eq!(tree.span, 0..source.len(), "the tree spans the whole of {source}");
    }

    fn fails(source: &str, key: &str, at: &str) {
        let error = parse(source, &tokens(source).unwrap()).unwrap_err();
        assert_eq!((error.key, &source[error.span.clone()]), (key, at), "{source}");
    }

    #[test]
    fn operators_bind_as_in_cel() {
        check("a && b || c && !d", "(|| (&& a b) (&& c (! d)))");
        check("a == b && c in d", "(&& (== a b) (in c d))");
        check("a ? b : c ? d : e", "(? a b (? c d e))");
        check("a || b ? c && d : e", "(? (|| a b) (&& c d) e)");
        check("!a.b", "(! a.b)");
        check("!a == b", "(== (! a) b)");
        check("(a || b) && c", "(&& (|| a b) c)");
    }

    #[test]
    fn methods_and_lists_nest() {
        check("it.weak.exists(w, w in [\"des\", \"md5\"])", "(it.weak.exists w (in w (list \"des\" \"md5\")))");
        check("0 < weak.size()", "(< 0 (weak.size ))");
        check("surely(a)", "(surely a)");
        check("a == -1", "(== a -1)");
    }

    #[test]
    fn many_negations_keep_their_parity() {
        check("!!!a", "(! a)");
        check("!!!!a", "(! (! a))");
    }

    #[test]
    fn mistakes_point_at_their_place() {
        fails("", "unexpected_end", "");
        fails("a &&", "unexpected_end", "");
        fails("a && )", "expected_value", ")");
        fails("(a", "unexpected_end", "");
        fails("[a b]", "expected_symbol", "b");
        fails("a b", "left_over", "b");
        fails("1 < a < 2", "chained_comparison", "<");
        fails("a. == 1", "expected_value", "==");
        fails("-a", "expected_value", "a");
    }

    #[test]
    fn words_for_operators_suggest_the_operator() {
        let source = "a and b";
        assert_eq!(parse(source, &tokens(source).unwrap()).unwrap_err().meant.as_deref(), Some("&&"));
    }

    #[test]
    fn depth_is_bounded_in_every_direction() {
        for (open, close) in [("(", ")"), ("[", "]"), ("f(", ")"), ("a ? b : ", ""), ("!(", ")")] {
            let nested = |n: usize| format!("{}a{}", open.repeat(n), close.repeat(n));
            let fits = nested(DEEPEST - 1);
            assert!(parse(&fits, &tokens(&fits).unwrap()).is_ok(), "{open}");
            let deep = nested(DEEPEST);
            assert_eq!(parse(&deep, &tokens(&deep).unwrap()).unwrap_err().key, "too_deep", "{open}");
        }
        let chain = format!("a{}", ".b".repeat(1000));
        assert_eq!(parse(&chain, &tokens(&chain).unwrap()).unwrap_err().key, "too_deep");
    }

    #[test]
    fn long_chains_cost_no_depth() {
        let chain = vec!["a"; 1000].join(" && ");
        assert!(parse(&chain, &tokens(&chain).unwrap()).is_ok());
    }
}
