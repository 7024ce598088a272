//! A desk whose account has templates at Meta, and the job that reads them: no node runs.

use std::sync::Arc;

use vestibule::clock::SystemClock;
use vestibule::domain::{Clock, TenantId};
use vestibule::graph::GraphClient;
use vestibule::graph::client::{HttpClientConfig, http_client};
use vestibule::simulator::{SimNumber, Simulator, SimulatorConfig, SimulatorHandle, TemplateSpec};
use vestibule::storage::jobs::Job;
use vestibule::templates::{SyncJob, sync};
use vestibule_tests::TestDatabase;

use crate::consents::shop;
use crate::ingest::desk::{Desk, NUMBERS};

/// As the desk's numbers have it.
pub const ACCOUNT: &str = "990001";

pub struct Shelf {
    pub desk: Desk,
    pub meta: SimulatorHandle,
    pub tenant: TenantId,
}

impl Shelf {
    pub async fn with(database: &TestDatabase, templates: Vec<TemplateSpec>) -> Self {
        let desk = Desk::open(database).await;
        let mut config = SimulatorConfig::new(Arc::new(SystemClock), "secret");
        config.numbers = vec![SimNumber {
            phone_number_id: NUMBERS[0].to_owned(),
            waba_id: ACCOUNT.to_owned(),
            display_number: "441632960111".to_owned(),
            throughput: 80,
            access_token: "a-token".to_owned(),
        }];
        config.templates = templates;
        let meta = Simulator::start(config).await.expect("a simulator");
        let tenant = shop(database).await;
        Self { desk, meta, tenant }
    }

    pub fn job(&self) -> SyncJob {
        let http = http_client(&HttpClientConfig::default()).expect("a client");
        SyncJob {
            graph: GraphClient::new(http, &self.meta.base_url(), "v25.0"),
            directory: self.desk.owner.clone(),
            clock: self.desk.clock.clone(),
            ids: self.desk.ids.clone(),
        }
    }

    pub async fn begin(&self) -> Job {
        let now = self.desk.clock.now();
        let begun = sync::begin(&self.desk.setup, self.tenant, ACCOUNT, now).await;
        begun.expect("a job")
    }
}

/// An approved template of the account.
pub fn spec(name: &str, body: &str) -> TemplateSpec {
    TemplateSpec::approved(ACCOUNT, name, "en", body)
}
