//! In which order a silent service is asked, as far as its handshakes reach.
//!
//! What its port suggests comes first, then what is spoken most. Every answer helps: one in another language names the
//! next question, and who hangs up reads messages of a form of its own, so that such questions come before lines of
//! text.

use std::collections::VecDeque;

use super::hints::Question;

/// What is asked of a service that nothing is known of.
const FIRST: [Question; 3] = [Question::Tls, Question::Http, Question::Mqtt];

/// What follows where the last question ended the connection. A PostgreSQL server answers the question for SMB with an
/// error that names it.
const OF_WHO_HANGS_UP: [Question; 4] = [Question::Smb, Question::Ldap, Question::Postgresql, Question::Rtsp];

/// What follows where the service waited for more. Servers of many line protocols answer the lines of RTSP with a
/// refusal that leads on.
const OF_WHO_WAITS: [Question; 4] = [Question::Rtsp, Question::Smb, Question::Ldap, Question::Postgresql];

/// What is asked inside TLS.
const INSIDE_TLS: [Question; 2] = [Question::Http, Question::Mqtt];

/// Questions still to be put.
#[derive(Debug)]
pub(super) struct Plan {
    ahead: VecDeque<Question>,
    asked: Vec<Question>,
    /// Whether further questions follow when those ahead are put.
    goes_on: bool,
    hangs_up: bool,
    /// Whether no question may follow the suggested one, whatever the service answers.
    alone: bool,
}

impl Plan {
    /// For a service of which this is suggested. Where that stands `alone` ([`super::hints::stands_alone`]), it is the
    /// only question, and no answer adds another.
    pub(super) fn new(hint: Option<Question>, alone: bool) -> Self {
        let rest: &[Question] = if alone { &[] } else { &FIRST };
        Self { goes_on: !alone, alone, ..Self::of(hint, rest) }
    }

    /// For what is spoken inside TLS.
    pub(super) fn inside_tls(hint: Option<Question>) -> Self {
        Self::of(hint, &INSIDE_TLS)
    }

    fn of(hint: Option<Question>, rest: &[Question]) -> Self {
        let rest = rest.iter().copied().filter(|question| Some(*question) != hint);
        let ahead = hint.into_iter().chain(rest).collect();
        Self { ahead, asked: Vec::new(), goes_on: false, hangs_up: false, alone: false }
    }

    /// The next question that may be put.
    pub(super) fn next(&mut self, may_put: impl Fn(Question) -> bool) -> Option<Question> {
        loop {
            if self.ahead.is_empty() && std::mem::take(&mut self.goes_on) {
                let further = if self.hangs_up { OF_WHO_HANGS_UP } else { OF_WHO_WAITS };
                self.ahead.extend(further.into_iter().filter(|question| !self.asked.contains(question)));
            }
            let question = self.ahead.pop_front()?;
            self.asked.push(question);
            if may_put(question) {
                return Some(question);
            }
        }
    }

    /// Puts this question next, unless it was put already or the first one stands alone; says whether.
    pub(super) fn suggest(&mut self, question: Question) -> bool {
        if self.alone || self.asked.contains(&question) {
            return false;
        }
        self.ahead.retain(|planned| *planned != question);
        self.ahead.push_front(question);
        true
    }

    /// Notes that a question was met with silence: the service waits, or it ended the connection.
    pub(super) fn not_answered(&mut self, question: Question, hung_up: bool) {
        // The last one tells most: bytes that are no lines (MQTT) end it with who reads messages, and leave who reads
        // lines waiting for the end of one. A hello for TLS ends the patience of both.
        if question != Question::Tls {
            self.hangs_up = hung_up;
        }
    }
}

#[cfg(test)]
mod tests {
    use hinomi_model::scope::{Probe, Scope};

    use super::super::hints;
    use super::super::hints::tests::scope_naming;
    use super::*;
    use Question::{Http, Ldap, Modbus, Mqtt, Postgresql, Redis, Rtsp, S7, Smb, Tls};

    fn all(mut plan: Plan, hung_up: bool) -> Vec<Question> {
        let mut questions = Vec::new();
        while let Some(question) = plan.next(|_| true) {
            plan.not_answered(question, hung_up);
            questions.push(question);
        }
        questions
    }

    #[test]
    fn the_order_follows_port_and_manner() {
        assert_eq!(all(Plan::new(None, false), false), [Tls, Http, Mqtt, Rtsp, Smb, Ldap, Postgresql]);
        assert_eq!(all(Plan::new(None, false), true), [Tls, Http, Mqtt, Smb, Ldap, Postgresql, Rtsp]);
        assert_eq!(all(Plan::new(Some(Ldap), false), true), [Ldap, Tls, Http, Mqtt, Smb, Postgresql, Rtsp]);
    }

    /// The plan for a port under a scope.
    fn plan_at(scope: &Scope, port: u16) -> Plan {
        Plan::new(hints::tcp(scope, port), hints::stands_alone(scope, port))
    }

    #[test]
    fn plant_equipment_hears_its_own_question_or_none() {
        let scope = scope_naming("\"modbus:1502\", \"s7:10102\", \"http:502\"");
        assert_eq!(all(plan_at(&scope, 502), true), [Modbus]);
        assert_eq!(all(plan_at(&scope, 1502), true), [Modbus], "named by the scope");
        assert_eq!(all(plan_at(&scope, 10_102), true), [S7], "named by the scope");
        assert_eq!(all(plan_at(&scope, 789), true), []);
        let free = |port| !hints::stands_alone(&scope, port);
        let foreign = |port| all(plan_at(&scope, port), true).into_iter().any(Question::is_of_plant);
        assert!(!(1..=u16::MAX).filter(|port| free(*port)).any(foreign));
    }

    /// Ports that a scope may name for a language of plant equipment: one of nobody's and those where over TCP or UDP
    /// something else is usual.
    const NAMED: [u16; 8] = [80, 161, 443, 623, 5353, 8080, 44818, 61_502];

    #[test]
    fn nothing_foreign_follows_at_any_port_of_plant_equipment() {
        for probe in Probe::all().filter(|probe| probe.home_ports().is_some()) {
            let named = NAMED.map(|port| (port, format!("\"{probe}:{port}\"")));
            let homes = probe.home_ports().unwrap_or_default().iter().map(|port| (*port, "\"http:9999\"".to_owned()));
            for (port, names) in homes.chain(named) {
                let scope = scope_naming(&names);
                assert_hears_only(probe, &scope, port);
                let over_udp = hints::udp(&scope, port);
                assert!(over_udp.iter().all(|asked| *asked == probe), "UDP {port} of {probe}: {over_udp:?}");
            }
        }
    }

    fn assert_hears_only(probe: Probe, scope: &Scope, port: u16) {
        for hung_up in [false, true] {
            let mut plan = plan_at(scope, port);
            let mut heard = Vec::new();
            loop {
                for other in Probe::all().filter_map(Question::of) {
                    assert!(!plan.suggest(other), "TCP {port} of {probe}: an answer adds {other:?}");
                }
                let Some(question) = plan.next(|_| true) else { break };
                plan.not_answered(question, hung_up);
                heard.push(question);
            }
            assert_eq!(heard, Question::of(probe).into_iter().collect::<Vec<_>>(), "TCP {port} of {probe}");
        }
    }

    #[test]
    fn an_answer_names_the_next_question_once() {
        let mut plan = Plan::new(None, false);
        assert_eq!(plan.next(|_| true), Some(Tls));
        assert!(plan.suggest(Redis));
        assert_eq!(plan.next(|_| true), Some(Redis));
        assert!(!plan.suggest(Redis) && !plan.suggest(Tls));
        assert_eq!(plan.next(|question| question != Http), Some(Mqtt), "what is not permitted is passed over");
    }
}
