//! Tenants and their numbers, set up the same at the gateway (by its command line) and at the simulator.

use std::path::Path;

use vestibule::simulator::SimNumber;

use super::deployment::Deployment;

/// A Meta app with the tenants behind it.
#[derive(Debug, Clone)]
pub struct Business {
    pub meta_app_id: String,
    pub app_secret: String,
    pub verify_token: String,
    /// Names; tenant `t` owns every number with `tenant == t`.
    pub tenants: Vec<String>,
    pub numbers: Vec<BusinessNumber>,
}

#[derive(Debug, Clone)]
pub struct BusinessNumber {
    pub tenant: usize,
    pub phone_number_id: String,
    pub waba_id: String,
    pub display_number: String,
    /// Messages a second.
    pub throughput: u32,
}

impl Business {
    /// `per_tenant` numbers for each of `tenants` tenants.
    pub fn new(tenants: usize, per_tenant: usize, throughput: u32) -> Self {
        let number = |n: usize| BusinessNumber {
            tenant: n / per_tenant,
            phone_number_id: (100_000_000_000_000 + n).to_string(),
            waba_id: (200_000_000_000_000 + n).to_string(),
            display_number: (15_550_000_000 + n).to_string(),
            throughput,
        };
        Self {
            meta_app_id: "900100".to_owned(),
            app_secret: "an-app-secret-of-the-harness".to_owned(),
            verify_token: "a-verify-token-of-the-harness".to_owned(),
            tenants: (0..tenants).map(|t| format!("tenant-{t}")).collect(),
            numbers: (0..tenants * per_tenant).map(number).collect(),
        }
    }

    fn token(&self, tenant: usize) -> String {
        format!("token-of-{}", self.tenants[tenant])
    }

    /// The numbers as the simulator knows them.
    pub fn sim_numbers(&self) -> Vec<SimNumber> {
        let number = |number: &BusinessNumber| SimNumber {
            phone_number_id: number.phone_number_id.clone(),
            waba_id: number.waba_id.clone(),
            display_number: number.display_number.clone(),
            throughput: number.throughput,
            access_token: self.token(number.tenant),
        };
        self.numbers.iter().map(number).collect()
    }

    /// Migrates and sets everything up by the command line. `node` runs, or nothing does.
    pub async fn onboard(&self, deployment: &Deployment, node: &str) {
        deployment.run(node, &["migrate"], &[]).await;
        let secrets = [
            ("SECRET", self.app_secret.as_str()),
            ("VERIFY", self.verify_token.as_str()),
        ];
        let app = [
            "app",
            "add",
            &self.meta_app_id,
            "--secret-env",
            "SECRET",
            "--verify-token-env",
            "VERIFY",
            "--default",
        ];
        deployment.run(node, &app, &secrets).await;
        for (tenant, name) in self.tenants.iter().enumerate() {
            // Consent is kept elsewhere by most of those who move here; who tests the ledger says so.
            let settings = r#"{"consent_basis":"attested"}"#;
            let add = ["tenant", "add", name, "--settings", settings];
            deployment.run(node, &add, &[]).await;
            let credential = [
                "credential",
                "add",
                "main",
                "--tenant",
                name,
                "--token-env",
                "TOKEN",
            ];
            deployment
                .run(node, &credential, &[("TOKEN", &self.token(tenant))])
                .await;
        }
        for number in &self.numbers {
            self.add_number(deployment, node, number).await;
        }
    }

    async fn add_number(&self, deployment: &Deployment, node: &str, number: &BusinessNumber) {
        let throughput = number.throughput.to_string();
        let tenant = &self.tenants[number.tenant];
        let arguments = [
            "number",
            "add",
            &number.phone_number_id,
            "--tenant",
            tenant,
            "--credential",
            "main",
            "--waba",
            &number.waba_id,
            "--display",
            &format!("+{}", number.display_number),
            "--throughput",
            &throughput,
        ];
        deployment.run(node, &arguments, &[]).await;
    }

    /// Installs a component for every tenant.
    pub async fn install(
        &self,
        deployment: &Deployment,
        node: &str,
        component: &Path,
        grants: &[&str],
    ) {
        let component = component.to_str().expect("a path in UTF-8");
        for tenant in &self.tenants {
            let mut arguments = vec!["plugin", "install", component, "--tenant", tenant];
            arguments.extend(grants.iter().flat_map(|grant| ["--grant", *grant]));
            deployment.run(node, &arguments, &[]).await;
        }
    }
}
