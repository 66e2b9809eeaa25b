//! sekisho
