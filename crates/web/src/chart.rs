//! Our own pictures: plain SVG, coloured by the style sheet, each with title, description and a table beside it.
//!
//! A picture is a pure function of its data to geometry; the templates write it down. No script, no inline style.

pub mod family;
pub mod hilbert;
pub mod map;
pub mod timeline;

pub use family::Family;
