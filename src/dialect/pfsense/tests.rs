//! Small exports, lowered.
