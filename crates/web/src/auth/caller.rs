//! Who a request comes from, and what that lets them do.

use std::sync::Arc;

use hinomi_model::Purpose;
use hinomi_share::objects::Giver;
use hinomi_share::{Member, Viewer};
use hinomi_state::{Person, Role};

/// Who a request comes from.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Nobody has an account: whoever is at this machine.
    Operator,
    /// Somebody with an account.
    Person(Arc<Known>),
}

/// A person, and how we know.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) person: Person,
    pub(crate) purpose: Purpose,
    pub(crate) by: By,
}

/// How a person is known.
#[derive(Clone, Debug)]
pub(crate) enum By {
    /// Signed in with a browser.
    Session {
        /// The session's name, which opens nothing.
        id: String,
        /// What forms of this session carry.
        form: String,
    },
    /// A program with a key.
    Key {
        /// The part of the key that is no secret.
        id: String,
        /// The one organisation that it acts for.
        organisation: Option<String>,
        writes: bool,
        /// What it is narrowed to; empty: nothing.
        kinds: Vec<String>,
    },
}

impl Caller {
    /// As whom the lake is read.
    pub(crate) fn viewer(&self) -> Viewer {
        let Self::Person(known) = self else { return Viewer::Operator };
        if known.sees_all() {
            return Viewer::Analyst { name: self.name(), purpose: known.purpose };
        }
        let organisations = known.memberships().map(|(organisation, _)| organisation.to_owned()).collect();
        Viewer::Member(Member { name: self.name(), organisations, purpose: known.purpose })
    }

    /// For the ledger and the log.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Operator => "operator".to_owned(),
            Self::Person(known) => match &known.by {
                By::Session { .. } => known.person.name.clone(),
                By::Key { id, .. } => format!("{} (key {id})", known.person.name),
            },
        }
    }

    /// Whether anything may be changed: saved queries, notices.
    pub(crate) fn may_write(&self) -> bool {
        let Self::Person(known) = self else { return true };
        let allowed = !matches!(known.by, By::Key { writes: false, .. });
        allowed && (known.sees_all() || known.memberships().any(|(_, role)| role >= Role::Editor))
    }

    /// Whether anything may be said for this organisation: answers to notices.
    pub(crate) fn may_write_for(&self, organisation: &str) -> bool {
        let Self::Person(known) = self else { return true };
        let own = |(id, role): (&str, Role)| id == organisation && role >= Role::Editor;
        self.may_write() && (known.sees_all() || known.memberships().any(own))
    }

    /// As whom objects are given: this installation, or the one organisation for which the caller may change something.
    pub(crate) fn giver(&self) -> Option<Giver> {
        let name = self.name();
        let Self::Person(known) = self else {
            return Some(Giver { organisation: String::new(), name, purpose: Purpose::ExposureReduction });
        };
        let mut own = known.memberships().filter(|(_, role)| *role >= Role::Editor).map(|(id, _)| id.to_owned());
        let organisation = match known.sees_all() {
            true => String::new(),
            false => own.next().filter(|_| own.next().is_none())?,
        };
        self.may_write().then_some(Giver { organisation, name, purpose: known.purpose })
    }

    /// The person, where one signed in with a browser: keys manage no accounts.
    pub(crate) fn signed_in(&self) -> Option<(&Person, &str, &str)> {
        match self {
            Self::Person(known) => match &known.by {
                By::Session { id, form } => Some((&known.person, id, form)),
                By::Key { .. } => None,
            },
            Self::Operator => None,
        }
    }
}

impl Known {
    /// Whether everything is seen that the operator sees.
    pub(super) fn sees_all(&self) -> bool {
        let narrowed = matches!(&self.by, By::Key { organisation: Some(_), .. });
        self.person.analyst && !narrowed
    }

    /// For whom is acted here; a key that is for one organisation acts for that one, for as long as its owner does.
    pub(super) fn memberships(&self) -> impl Iterator<Item = (&str, Role)> {
        let only = match &self.by {
            By::Key { organisation, .. } => organisation.as_deref(),
            By::Session { .. } => None,
        };
        let own = self.person.memberships.iter().map(|one| (one.organisation.as_str(), one.role));
        let own = own.filter(move |(organisation, _)| only.is_none_or(|only| only == *organisation));
        // An analyst narrows a key to an organisation whose member he need not be.
        let lent = only.filter(|_| self.person.analyst).map(|only| (only, Role::Reader));
        own.chain(lent)
    }
}

#[cfg(test)]
mod tests {
    use hinomi_model::Timestamp;
    use hinomi_state::Membership;

    use super::*;

    fn caller(roles: &[(&str, Role)], analyst: bool, by: By) -> Caller {
        let member =
            |(organisation, role): &(&str, Role)| Membership { organisation: (*organisation).into(), role: *role };
        let person = Person {
            id: "1".into(),
            name: "ann".into(),
            full_name: "Ann".into(),
            administrator: true,
            analyst,
            has_password: true,
            created: Timestamp::default(),
            disabled: None,
            memberships: roles.iter().map(member).collect(),
        };
        Caller::Person(Arc::new(Known { person, purpose: Purpose::Research, by }))
    }

    fn session() -> By {
        By::Session { id: "s".into(), form: "f".into() }
    }

    fn key(organisation: Option<&str>, writes: bool) -> By {
        By::Key { id: "k".into(), organisation: organisation.map(str::to_owned), writes, kinds: Vec::new() }
    }

    fn acts_for(caller: &Caller) -> Vec<String> {
        match caller.viewer() {
            Viewer::Member(member) => member.organisations.into_iter().collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn administrators_see_no_record_by_that_right() {
        let caller = caller(&[], false, session());
        assert!(acts_for(&caller).is_empty() && !caller.may_write());
        assert!(caller.signed_in().is_some());
    }

    #[test]
    fn a_key_does_no_more_than_it_says_and_its_owner_may() {
        let roles = [("a", Role::Editor), ("b", Role::Reader)];
        assert_eq!(acts_for(&caller(&roles, false, session())), ["a", "b"]);
        let narrowed = caller(&roles, false, key(Some("b"), true));
        assert_eq!(acts_for(&narrowed), ["b"]);
        assert!(!narrowed.may_write(), "a reader of b");
        assert!(caller(&roles, false, key(Some("a"), true)).may_write());
        assert!(!caller(&roles, false, key(Some("a"), false)).may_write(), "a key that only reads");
        assert!(acts_for(&caller(&roles, false, key(Some("c"), true))).is_empty(), "not a member any more");
        assert!(narrowed.signed_in().is_none(), "keys manage no accounts");
        let gives = |caller: Caller| caller.giver().map(|giver| giver.organisation);
        assert_eq!(gives(caller(&roles, false, key(None, true))).as_deref(), Some("a"), "an editor of one");
        let two = [("a", Role::Editor), ("b", Role::Editor)];
        assert_eq!(gives(caller(&two, false, key(None, true))), None, "for which of them is not said");
        assert_eq!(gives(caller(&two, false, key(Some("b"), true))).as_deref(), Some("b"));
        assert_eq!(gives(caller(&two, false, key(Some("b"), false))), None);
        assert_eq!(gives(caller(&[], true, key(None, true))).as_deref(), Some(""));
    }

    #[test]
    fn an_analyst_sees_all_and_his_key_for_one_organisation_that_one() {
        let analyst = |name: &str| Viewer::Analyst { name: name.to_owned(), purpose: Purpose::Research };
        assert_eq!(caller(&[], true, session()).viewer(), analyst("ann"), "and is named");
        assert_eq!(caller(&[], true, key(None, false)).viewer(), analyst("ann (key k)"));
        assert_eq!(acts_for(&caller(&[], true, key(Some("c"), false))), ["c"]);
    }
}
