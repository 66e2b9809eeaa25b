//! Small exports, and what they become.
