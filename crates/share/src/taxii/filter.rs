//! Which objects a client wants (TAXII 2.1, 3.4: `match[…]`).

use hinomi_model::Timestamp;

use crate::stix::{Object, SPEC_VERSION};

/// The most values of all filters together.
const MAX_VALUES: usize = 100;

/// Wanted objects; empty lists want all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub(crate) ids: Vec<String>,
    pub(crate) types: Vec<String>,
    versions: Vec<String>,
    spec_versions: Vec<String>,
}

/// Wanted versions of objects of which several are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Versions {
    pub(crate) all: bool,
    pub(crate) first: bool,
    pub(crate) last: bool,
    /// Of these moments.
    pub(crate) at: Vec<Timestamp>,
}

impl Filter {
    /// Adds a filter, as `match[type]` with values between commas.
    ///
    /// # Errors
    /// When there is no such filter, or there are too many values.
    pub fn add(&mut self, name: &str, values: &str) -> Result<(), String> {
        let list = match name {
            "match[id]" => &mut self.ids,
            "match[type]" => &mut self.types,
            "match[version]" => &mut self.versions,
            "match[spec_version]" => &mut self.spec_versions,
            other => {
                return Err(format!("{other}: there are match[id], match[type], match[version], match[spec_version]"));
            }
        };
        list.extend(values.split(',').map(|value| value.trim().to_owned()).take(MAX_VALUES + 1));
        if list.len() > MAX_VALUES {
            return Err(format!("{name}: {MAX_VALUES} values are the most"));
        }
        Ok(())
    }

    /// Wants one object.
    #[must_use]
    pub fn of_object(mut self, id: &str) -> Self {
        self.ids = vec![id.to_owned()];
        self
    }

    /// Wants every version where none is named, as lists of versions do.
    #[must_use]
    pub fn all_versions(mut self) -> Self {
        if self.versions.is_empty() {
            self.versions = vec!["all".to_owned()];
        }
        self
    }

    /// Which versions are wanted; the last, where nothing is said (3.4.1).
    pub(crate) fn versions(&self) -> Versions {
        let mut wanted = Versions { last: self.versions.is_empty(), ..Versions::default() };
        for version in &self.versions {
            match version.as_str() {
                "all" => wanted.all = true,
                "first" => wanted.first = true,
                "last" => wanted.last = true,
                moment => wanted.at.extend(moment.parse::<Timestamp>()),
            }
        }
        wanted
    }

    /// Whether objects of the version of STIX that is spoken here are wanted.
    pub(crate) fn takes_this_standard(&self) -> bool {
        self.spec_versions.is_empty() || self.spec_versions.iter().any(|version| version == SPEC_VERSION)
    }

    /// Whether few objects may meet it.
    pub(super) const fn is_narrow(&self) -> bool {
        !self.ids.is_empty() || !self.types.is_empty() || !self.versions.is_empty() || !self.spec_versions.is_empty()
    }

    /// Whether it wants this object. Only the newest version of an object is kept: it is its first, last and every one.
    pub(super) fn takes(&self, object: &Object) -> bool {
        let any =
            |list: &[String], wanted: &dyn Fn(&str) -> bool| list.is_empty() || list.iter().any(|one| wanted(one));
        any(&self.ids, &|id| id == object.id)
            && any(&self.types, &|kind| kind == object.kind())
            && any(&self.spec_versions, &|version| version == SPEC_VERSION)
            && any(&self.versions, &|version| matches!(version, "last" | "first" | "all") || version == object.version)
    }
}
