//! What the emulator should know, in a few lines: conversations of two services, who is in them and what was said.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use super::document::Document;
use crate::support::{Answer, World, answer};

/// What a caller does. Places are those of conversations in the order of their creation, wrapped around.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Create { second: bool, name: Option<usize> },
    Rename { place: usize, name: usize },
    Close(usize),
    Delete(usize),
    Join { place: usize, who: usize },
    Leave { place: usize, who: usize },
    Read { place: usize, who: usize, index: u64 },
    Say { place: usize, who: usize },
    Edit { place: usize, message: usize },
    Unsay { place: usize, message: usize },
    Hook(usize),
    CreateUser { second: bool, who: usize },
    DeleteUser { second: bool, who: usize },
    List(usize),
    ListOf { second: bool, who: usize },
}

#[derive(Debug, Default)]
struct Conversation {
    sid: String,
    second: bool,
    name: Option<usize>,
    is_closed: bool,
    is_deleted: bool,
    /// In the order in which they came.
    members: Vec<usize>,
    messages: Vec<(String, String)>,
    webhooks: usize,
}

pub(super) struct Model<'a> {
    world: &'a World,
    document: &'a Document,
    /// What paths begin with: the account's, and the second service's.
    bases: [String; 2],
    conversations: Vec<Conversation>,
    users: BTreeSet<(bool, usize)>,
    said: usize,
}

impl<'a> Model<'a> {
    pub(super) async fn new(world: &'a World, document: &'a Document) -> Self {
        let second = world.create("/v1/Services", &[("FriendlyName", "Second")]).await;
        let bases = ["/v1".to_owned(), format!("/v1/Services/{second}")];
        Self { world, document, bases, conversations: Vec::new(), users: BTreeSet::new(), said: 0 }
    }

    async fn call(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut request = self.world.request(method.clone(), path);
        if method == Method::POST {
            request = request.form(form);
        }
        let got = answer(request).await;
        self.document.check(&method, path, &got);
        got
    }

    fn base(&self, second: bool) -> &str {
        &self.bases[usize::from(second)]
    }

    fn path(&self, one: &Conversation) -> String {
        format!("{}/Conversations/{}", self.base(one.second), one.sid)
    }

    fn index(&self, place: usize) -> Option<usize> {
        (!self.conversations.is_empty()).then(|| place % self.conversations.len())
    }

    fn is_taken(&self, second: bool, name: usize) -> bool {
        self.conversations.iter().any(|one| !one.is_deleted && one.second == second && one.name == Some(name))
    }

    /// What is wrong with changing a conversation, if anything is.
    fn closed_or_gone(&self, at: usize) -> Option<(u16, u64)> {
        let one = &self.conversations[at];
        if one.is_deleted { Some((404, 20404)) } else { one.is_closed.then_some((400, 50377)) }
    }

    #[expect(clippy::too_many_lines, reason = "a table of operations")]
    pub(super) async fn carry_out(&mut self, op: Op) {
        match op {
            Op::Create { second, name } => {
                let unique = name.map(|name| format!("name-{name}"));
                let form: Vec<_> = unique.iter().map(|name| ("UniqueName", name.as_str())).collect();
                let path = format!("{}/Conversations", self.base(second));
                let got = self.call(Method::POST, &path, &form).await;
                if name.is_some_and(|name| self.is_taken(second, name)) {
                    return assert_eq!(got.problem(), (409, 50353));
                }
                self.conversations.push(Conversation { sid: got.text("sid"), second, name, ..Conversation::default() });
            }
            Op::Rename { place, name } => {
                let Some(at) = self.index(place) else { return };
                let (one, unique) = (&self.conversations[at], format!("name-{name}"));
                let got = self.call(Method::POST, &self.path(one), &[("UniqueName", &unique)]).await;
                let taken = one.name != Some(name) && self.is_taken(one.second, name);
                match self.closed_or_gone(at) {
                    Some(problem) => assert_eq!(got.problem(), problem),
                    None if taken => assert_eq!(got.problem(), (409, 50353)),
                    None => {
                        assert_eq!(got.text("unique_name"), unique);
                        self.conversations[at].name = Some(name);
                    }
                }
            }
            Op::Close(place) => {
                let Some(at) = self.index(place) else { return };
                let path = self.path(&self.conversations[at]);
                let got = self.call(Method::POST, &path, &[("State", "closed")]).await;
                match self.closed_or_gone(at) {
                    Some(problem) => assert_eq!(got.problem(), problem),
                    None => self.conversations[at].is_closed = true,
                }
            }
            Op::Delete(place) => {
                let Some(at) = self.index(place) else { return };
                let got = self.call(Method::DELETE, &self.path(&self.conversations[at]), &[]).await;
                let expect = if self.conversations[at].is_deleted { 404 } else { 204 };
                assert_eq!(got.status, expect);
                self.conversations[at].is_deleted = true;
            }
            Op::Join { place, who } => {
                let Some(at) = self.index(place) else { return };
                let path = format!("{}/Participants", self.path(&self.conversations[at]));
                let got = self.call(Method::POST, &path, &[("Identity", &identity(who))]).await;
                let one = &mut self.conversations[at];
                let is_in = one.members.contains(&who);
                if one.is_deleted || one.is_closed {
                    let problem = if one.is_deleted { (404, 20404) } else { (400, 50377) };
                    assert_eq!(got.problem(), problem);
                } else if is_in {
                    assert_eq!(got.problem(), (409, 50433));
                } else {
                    one.members.push(who);
                    self.users.insert((one.second, who));
                }
            }
            Op::Leave { place, who } => {
                let Some(at) = self.index(place) else { return };
                let path = format!("{}/Participants/{}", self.path(&self.conversations[at]), identity(who));
                let got = self.call(Method::DELETE, &path, &[]).await;
                let one = &mut self.conversations[at];
                let is_in = !one.is_deleted && one.members.contains(&who);
                assert_eq!(got.status, if is_in { 204 } else { 404 });
                one.members.retain(|member| !is_in || *member != who);
            }
            Op::Read { place, who, index } => {
                let Some(at) = self.index(place) else { return };
                let one = &self.conversations[at];
                let path = format!("{}/Users/{}/Conversations/{}", self.base(one.second), identity(who), one.sid);
                let got = self.call(Method::POST, &path, &[("LastReadMessageIndex", &index.to_string())]).await;
                if one.is_deleted || !one.members.contains(&who) {
                    assert_eq!(got.problem(), (404, 20404));
                } else if one.is_closed {
                    assert_eq!(got.problem(), (400, 50377));
                } else {
                    assert_eq!(got.body["last_read_message_index"], index);
                }
            }
            Op::Say { place, who } => {
                let Some(at) = self.index(place) else { return };
                self.said += 1;
                let body = format!("message {}", self.said);
                let path = format!("{}/Messages", self.path(&self.conversations[at]));
                let form = [("Body", body.as_str()), ("Author", &identity(who))];
                let got = self.call(Method::POST, &path, &form).await;
                if let Some(problem) = self.closed_or_gone(at) {
                    return assert_eq!(got.problem(), problem);
                }
                let one = &mut self.conversations[at];
                assert_eq!(got.body["participant_sid"].is_string(), one.members.contains(&who));
                one.messages.push((got.text("sid"), body));
            }
            Op::Edit { place, message } => self.change_message(place, message, Method::POST).await,
            Op::Unsay { place, message } => self.change_message(place, message, Method::DELETE).await,
            Op::Hook(place) => {
                let Some(at) = self.index(place) else { return };
                let path = format!("{}/Webhooks", self.path(&self.conversations[at]));
                let flow = format!("FW{}", "0".repeat(32));
                let got =
                    self.call(Method::POST, &path, &[("Target", "studio"), ("Configuration.FlowSid", &flow)]).await;
                match self.closed_or_gone(at) {
                    Some(problem) => assert_eq!(got.problem(), problem),
                    None if self.conversations[at].webhooks == 5 => assert_eq!(got.problem(), (400, 50361)),
                    None => self.conversations[at].webhooks += 1,
                }
            }
            Op::CreateUser { second, who } => {
                let path = format!("{}/Users", self.base(second));
                let got = self.call(Method::POST, &path, &[("Identity", &identity(who))]).await;
                let is_new = self.users.insert((second, who));
                assert_eq!(got.status, if is_new { 201 } else { 409 });
            }
            Op::DeleteUser { second, who } => {
                let path = format!("{}/Users/{}", self.base(second), identity(who));
                let got = self.call(Method::DELETE, &path, &[]).await;
                let was = self.users.remove(&(second, who));
                assert_eq!(got.status, if was { 204 } else { 404 });
                for one in self.conversations.iter_mut().filter(|one| one.second == second && !one.is_deleted) {
                    one.members.retain(|member| *member != who);
                }
            }
            Op::List(place) => {
                let Some(at) = self.index(place) else { return };
                self.compare_one(at).await;
            }
            Op::ListOf { second, who } => self.compare_user(second, who).await,
        }
    }

    async fn change_message(&mut self, place: usize, message: usize, method: Method) {
        let Some(at) = self.index(place) else { return };
        let one = &self.conversations[at];
        let Some((sid, _)) = one.messages.get(message % one.messages.len().max(1)) else { return };
        let (sid, path) = (sid.clone(), format!("{}/Messages/{sid}", self.path(one)));
        let body = format!("changed {}", self.said);
        let got = self.call(method.clone(), &path, &[("Body", &body)]).await;
        let problem = self.closed_or_gone(at);
        let one = &mut self.conversations[at];
        if method == Method::DELETE {
            // What was said in a closed conversation may still be taken back.
            if one.is_deleted {
                return assert_eq!(got.problem(), (404, 20404));
            }
            assert_eq!(got.status, 204);
            one.messages.retain(|(known, _)| *known != sid);
        } else if let Some(problem) = problem {
            assert_eq!(got.problem(), problem);
        } else if let Some((_, known)) = one.messages.iter_mut().find(|(known, _)| *known == sid) {
            assert_eq!(got.text("body"), body);
            *known = body;
        }
    }

    /// All pages of a list, two items at a time.
    async fn pages(&self, path: &str) -> Vec<Value> {
        let glue = if path.contains('?') { '&' } else { '?' };
        let mut next = format!("{path}{glue}PageSize=2");
        let mut all = Vec::new();
        loop {
            let page = self.call(Method::GET, &next, &[]).await.body;
            let key = page["meta"]["key"].as_str().unwrap();
            all.extend(page[key].as_array().unwrap().iter().cloned());
            match page["meta"]["next_page_url"].as_str() {
                Some(url) => next = url.trim_start_matches(self.world.emulator.url()).to_owned(),
                None => return all,
            }
        }
    }

    async fn compare_one(&self, at: usize) {
        let one = &self.conversations[at];
        let path = self.path(one);
        let got = self.call(Method::GET, &path, &[]).await;
        if one.is_deleted {
            return assert_eq!(got.problem(), (404, 20404));
        }
        assert_eq!(got.text("state"), if one.is_closed { "closed" } else { "active" });
        let text = |all: Vec<Value>, key: &str| -> Vec<String> {
            all.iter().map(|one| one[key].as_str().unwrap_or_default().to_owned()).collect()
        };
        let bodies: Vec<_> = one.messages.iter().map(|(_, body)| body.clone()).collect();
        assert_eq!(text(self.pages(&format!("{path}/Messages")).await, "body"), bodies);
        let newest: Vec<_> = bodies.into_iter().rev().collect();
        assert_eq!(text(self.pages(&format!("{path}/Messages?Order=desc")).await, "body"), newest);
        let members: Vec<_> = one.members.iter().map(|who| identity(*who)).collect();
        assert_eq!(text(self.pages(&format!("{path}/Participants")).await, "identity"), members);
        assert_eq!(self.pages(&format!("{path}/Webhooks")).await.len(), one.webhooks);
    }

    async fn compare_user(&self, second: bool, who: usize) {
        let base = self.base(second);
        let expect: Vec<_> = self
            .conversations
            .iter()
            .filter(|one| !one.is_deleted && one.second == second && one.members.contains(&who))
            .map(|one| one.sid.clone())
            .collect();
        let sids = |all: Vec<Value>| -> Vec<String> {
            all.iter().map(|one| one["conversation_sid"].as_str().unwrap().to_owned()).collect()
        };
        let by_identity = self.pages(&format!("{base}/ParticipantConversations?Identity={}", identity(who))).await;
        assert_eq!(sids(by_identity), expect);
        if self.users.contains(&(second, who)) {
            assert_eq!(sids(self.pages(&format!("{base}/Users/{}/Conversations", identity(who))).await), expect);
        }
    }

    /// Everything that the model knows is what the emulator shows.
    pub(super) async fn compare(&self) {
        for at in 0..self.conversations.len() {
            self.compare_one(at).await;
        }
        for second in [false, true] {
            let listed = self.pages(&format!("{}/Conversations", self.base(second))).await;
            let mut sids: Vec<_> = listed.iter().map(|one| one["sid"].as_str().unwrap().to_owned()).collect();
            sids.reverse();
            let here = self.conversations.iter().filter(|one| one.second == second && !one.is_deleted);
            assert_eq!(sids, here.map(|one| one.sid.clone()).collect::<Vec<_>>());
            assert_eq!(
                self.pages(&format!("{}/Users", self.base(second))).await.len(),
                self.users.iter().filter(|(other, _)| *other == second).count()
            );
            for who in 0..3 {
                self.compare_user(second, who).await;
            }
        }
    }
}

fn identity(who: usize) -> String {
    format!("person-{who}")
}
