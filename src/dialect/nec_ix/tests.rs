//! Lowering of small exports: values and the lines they rest on.
