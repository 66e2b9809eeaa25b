//! Small exports lowered, facts and places asserted.
