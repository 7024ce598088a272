//! Templates: submit, list, look up, edit, delete, unpause (`whatsapp-cloud-api.md` §6.5).

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::super::error::GraphError;
use super::super::faults::FaultKind;
use super::super::template::{self, TemplateCategory, TemplateSpec, TemplateStatus};
use super::{Answer, Answered, Call, success};

/// Of an account; a verified portfolio may have more, and nobody's sandbox needs them.
const MOST: usize = 6_000;
/// What Graph shows of a template when nobody asks for fields.
const USUAL: [&str; 6] = [
    "name",
    "language",
    "status",
    "category",
    "components",
    "parameter_format",
];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A template is written out only to be compared: without a filter a page looks at all of a large account.
fn is_asked_for(template: &TemplateSpec, filters: &[(&str, &String)]) -> bool {
    if filters.is_empty() {
        return true;
    }
    let fields = template.fields();
    let mut filters = filters.iter();
    filters.all(|(name, wanted)| fields[*name].as_str() == Some(wanted.as_str()))
}

impl Call<'_> {
    pub(super) fn templates(&self, waba_id: &str) -> Answered {
        match self.method {
            "GET" => match self.scripted(waba_id) {
                Some(answered) => answered,
                None => self.list_templates(waba_id),
            },
            "POST" => {
                self.not_refused(waba_id)?;
                let submitted = template::check(waba_id, &self.json()?)?;
                Ok(Answer::Ok(self.submit(submitted)?))
            }
            "DELETE" => {
                self.not_refused(waba_id)?;
                self.delete_templates(waba_id)
            }
            _ => Err(self.no_such_method()),
        }
    }

    /// A fault that was scripted for the account. Those of time and of cut connections are not played here: one of them
    /// lets a call pass, so that the next line of the script meets the call after it.
    fn scripted(&self, waba_id: &str) -> Option<Answered> {
        match self.world.faults.take_call(waba_id)?.0 {
            FaultKind::Error {
                code,
                status,
                details,
            } => {
                let error = GraphError::new(code, details.unwrap_or_default());
                let status = status.and_then(|status| StatusCode::from_u16(status).ok());
                Some(Err(GraphError {
                    status: status.unwrap_or(error.status),
                    ..error
                }))
            }
            FaultKind::Http { status } => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                Some(Ok(Answer::With(status, Value::Null)))
            }
            _ => None,
        }
    }

    /// No change of the account's templates is to be refused by script.
    fn not_refused(&self, waba_id: &str) -> Result<(), GraphError> {
        self.world.faults.take_change(waba_id).map_or(Ok(()), Err)
    }

    fn submit(&self, submitted: TemplateSpec) -> Result<Value, GraphError> {
        let world = self.world;
        let known = world.template(&submitted.waba_id, &submitted.name, &submitted.language);
        if known.is_some_and(|known| known.status != TemplateStatus::Deleted) {
            return Err(GraphError {
                subcode: Some(2388024),
                ..GraphError::new(100, "Content in this language already exists")
            });
        }
        let of_account = |one: &&std::sync::Arc<TemplateSpec>| one.waba_id == submitted.waba_id;
        if world.templates().iter().filter(of_account).count() >= MOST {
            return Err(GraphError::new(
                2388019,
                "The account has as many templates as it may have",
            ));
        }
        let template = world.review(submitted);
        Ok(
            json!({ "id": template.id().to_string(), "status": template.status, "category": template.category }),
        )
    }

    /// One-time codes in several languages at once; what exists is replaced.
    pub(super) fn upsert_templates(&self, waba_id: &str) -> Answered {
        let body = self.json()?;
        let languages = body["languages"].as_array().cloned().unwrap_or_default();
        if body["category"] != "AUTHENTICATION" || languages.is_empty() {
            return Err(GraphError::new(
                100,
                "Upserting is for AUTHENTICATION templates and needs languages.",
            ));
        }
        let mut data = Vec::new();
        for language in languages {
            let mut one = body.clone();
            one["language"] = language.clone();
            let template = self.world.review(template::check(waba_id, &one)?);
            data.push(json!({ "id": template.id().to_string(), "status": template.status, "language": language }));
        }
        Ok(Answer::Ok(json!({ "data": data })))
    }

    fn list_templates(&self, waba_id: &str) -> Answered {
        let mut found = self.world.templates();
        let filters = self.filters();
        found.retain(|one| {
            one.waba_id == waba_id
                && one.status != TemplateStatus::Deleted
                && is_asked_for(one, &filters)
        });
        found.sort_unstable_by(|one, other| {
            (&one.name, &one.language).cmp(&(&other.name, &other.language))
        });
        let limit = self
            .query
            .get("limit")
            .and_then(|limit| limit.parse().ok())
            .unwrap_or(25_usize)
            .max(1);
        let from = match self.query.get("after") {
            // An invalid cursor is an error since v24 (§7.4).
            Some(after) => after
                .strip_prefix("sim")
                .and_then(|place| place.parse().ok())
                .ok_or_else(|| GraphError::new(131059, "Invalid or expired cursor"))?,
            None => 0_usize,
        };
        let page: Vec<_> = found.iter().skip(from).take(limit).collect();
        let data: Result<Vec<Value>, GraphError> =
            page.iter().map(|one| self.template_fields(one)).collect();
        let end = from + page.len();
        let mut paging =
            json!({ "cursors": { "before": format!("sim{from}"), "after": format!("sim{end}") } });
        if end < found.len() {
            paging["next"] = json!(self.next_page(end, limit));
        }
        Ok(Answer::Ok(json!({ "data": data?, "paging": paging })))
    }

    /// The fields that are asked for, with what they must be.
    fn filters(&self) -> Vec<(&'static str, &String)> {
        ["name", "language", "status", "category"]
            .into_iter()
            .filter_map(|name| Some((name, self.query.get(name)?)))
            .collect()
    }

    /// Absolute, as Meta's is; on the simulator's own host.
    fn next_page(&self, from: usize, limit: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let own = ["after", "limit", "access_token"];
        for (name, value) in self
            .query
            .iter()
            .filter(|(name, _)| !own.contains(&name.as_str()))
        {
            query.append_pair(name, value);
        }
        query.append_pair("limit", &limit.to_string());
        query.append_pair("after", &format!("sim{from}"));
        format!("{}{}?{}", self.world.base_url(), self.path, query.finish())
    }

    fn template_fields(&self, template: &TemplateSpec) -> Result<Value, GraphError> {
        let fields = template.fields().as_object().cloned().unwrap_or_default();
        self.select(&template.id().to_string(), &fields, &USUAL)
    }

    /// `GET|POST /{template}`
    pub(super) fn template_object(&self, id: &str) -> Answered {
        let template = self.own_template(id)?;
        match self.method {
            "GET" => Ok(self.template_fields(&template)?.into()),
            "POST" => {
                self.not_refused(&template.waba_id)?;
                self.edit(template)
            }
            _ => Err(self.no_such_method()),
        }
    }

    fn own_template(&self, id: &str) -> Result<TemplateSpec, GraphError> {
        let template = self
            .world
            .template_by_id(id)
            .ok_or_else(|| GraphError::unknown_object(id))?;
        self.account(&template.waba_id)?;
        Ok(TemplateSpec::clone(&template))
    }

    fn edit(&self, mut template: TemplateSpec) -> Answered {
        let body = self.json()?;
        let now = self.world.clock.now();
        let approved = match template.status {
            TemplateStatus::Approved => true,
            TemplateStatus::Rejected | TemplateStatus::Paused => false,
            _ => {
                return Err(GraphError::new(
                    100,
                    "Only approved, rejected and paused templates can be edited.",
                ));
            }
        };
        template.edits.retain(|at| now.since(*at) < 30 * DAY);
        let today = template
            .edits
            .iter()
            .filter(|at| now.since(**at) < DAY)
            .count();
        if approved && (today > 0 || template.edits.len() >= 10) {
            return Err(GraphError::new(
                100,
                "An approved template can be edited once a day, ten times in 30 days.",
            ));
        }
        if let Some(category) = body.get("category") {
            let wanted: TemplateCategory = serde_json::from_value(category.clone())
                .map_err(|_| GraphError::new(100, "Param category is not known."))?;
            if approved && wanted != template.category {
                return Err(GraphError::new(
                    100,
                    "The category of an approved template is fixed.",
                ));
            }
            template.category = wanted;
        }
        if let Some(components) = body["components"].as_array() {
            template::check_components(template.category, components)?;
            template.components.clone_from(components);
        }
        if approved {
            template.edits.push(now);
        }
        template.status = TemplateStatus::Pending;
        self.world.review(template);
        Ok(success())
    }

    /// By name in all languages, or one of them with `hsm_id`.
    fn delete_templates(&self, waba_id: &str) -> Answered {
        let name = self
            .query
            .get("name")
            .ok_or_else(|| GraphError::new(100, "The parameter name is required."))?;
        let one = self.query.get("hsm_id");
        let mut found = self.world.templates();
        found.retain(|template| {
            let meant = one.is_none_or(|id| *id == template.id().to_string());
            template.waba_id == waba_id
                && template.name == *name
                && meant
                && template.status != TemplateStatus::Deleted
        });
        if found.is_empty() {
            return Err(GraphError::new(
                100,
                format!("No message template was found with the name {name}."),
            ));
        }
        if found
            .iter()
            .any(|template| template.status == TemplateStatus::Disabled)
        {
            return Err(GraphError::new(
                100,
                "A disabled template cannot be deleted.",
            ));
        }
        for template in found {
            self.world.becomes(
                TemplateSpec::clone(&template),
                TemplateStatus::Deleted,
                None,
            );
        }
        Ok(success())
    }

    /// `POST /{template}/unpause`
    pub(super) fn unpause(&self, id: &str) -> Answered {
        let template = self.own_template(id)?;
        if self.method != "POST" || template.status != TemplateStatus::Paused {
            return Err(GraphError::new(
                100,
                "Only a paused template can be unpaused.",
            ));
        }
        self.world.becomes(template, TemplateStatus::Approved, None);
        Ok(success())
    }
}
