//! Small exports lowered to the intermediate form.
