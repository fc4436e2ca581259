//! In which order a silent service is asked, as far as its handshakes reach.
//!
//! What its port suggests comes first, then what is spoken most. Every answer helps: one in another language names the
//! next question, and who hangs up reads messages of a form of its own, so that such questions come before lines of
//! text.

use std::collections::VecDeque;

use super::hints::{self, Question};

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
}

impl Plan {
    /// For a service at this port, of which this is suggested.
    ///
    /// At ports of plant equipment, and where a language of such is expected, the suggested question is the only one.
    pub(super) fn new(port: u16, hint: Option<Question>) -> Self {
        let alone = hints::only_its_own(port) || hint.is_some_and(Question::is_of_plant);
        let rest: &[Question] = if alone { &[] } else { &FIRST };
        Self { goes_on: !alone, ..Self::of(hint, rest) }
    }

    /// For what is spoken inside TLS.
    pub(super) fn inside_tls(hint: Option<Question>) -> Self {
        Self::of(hint, &INSIDE_TLS)
    }

    fn of(hint: Option<Question>, rest: &[Question]) -> Self {
        let rest = rest.iter().copied().filter(|question| Some(*question) != hint);
        Self { ahead: hint.into_iter().chain(rest).collect(), asked: Vec::new(), goes_on: false, hangs_up: false }
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

    /// Puts this question next, unless it was put already; says whether.
    pub(super) fn suggest(&mut self, question: Question) -> bool {
        if self.asked.contains(&question) {
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
        assert_eq!(all(Plan::new(40_000, None), false), [Tls, Http, Mqtt, Rtsp, Smb, Ldap, Postgresql]);
        assert_eq!(all(Plan::new(40_000, None), true), [Tls, Http, Mqtt, Smb, Ldap, Postgresql, Rtsp]);
        assert_eq!(all(Plan::new(389, Some(Ldap)), true), [Ldap, Tls, Http, Mqtt, Smb, Postgresql, Rtsp]);
    }

    #[test]
    fn plant_equipment_hears_its_own_question_or_none() {
        assert_eq!(all(Plan::new(502, Some(Modbus)), true), [Modbus]);
        assert_eq!(all(Plan::new(1502, Some(Modbus)), true), [Modbus], "named by the scope");
        assert_eq!(all(Plan::new(789, None), true), []);
        assert!((1..=u16::MAX).all(|port| !all(Plan::new(port, None), true).into_iter().any(Question::is_of_plant)));
        assert_eq!(all(Plan::new(10_102, Some(S7)), true), [S7], "named by the scope");
    }

    #[test]
    fn an_answer_names_the_next_question_once() {
        let mut plan = Plan::new(40_000, None);
        assert_eq!(plan.next(|_| true), Some(Tls));
        assert!(plan.suggest(Redis));
        assert_eq!(plan.next(|_| true), Some(Redis));
        assert!(!plan.suggest(Redis) && !plan.suggest(Tls));
        assert_eq!(plan.next(|question| question != Http), Some(Mqtt), "what is not permitted is passed over");
    }
}
