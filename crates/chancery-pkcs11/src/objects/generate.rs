//! New keys (PKCS#11 v3.0 §5.18.1, §5.18.2): one CreateKey each, whose answer is the objects.
//!
//! **Not here**: what templates ask for (`plan`).

use super::{Objects, change::let_go, plan::Plan};
use crate::{
    attribute::Template,
    mechanism::Mechanism,
    module::{Module, Session},
    remote::Doing,
    rv::{Result, Rv},
};
use chancery_api::v1::{self, ObjectClass};
use chancery_client::request_id;
use cryptoki_sys::*;
use std::sync::Arc;

impl Objects {
    /// C_GenerateKeyPair: handles of the public and the private object.
    ///
    /// # Errors
    /// As PKCS#11 v3.0 §5.18.2.
    pub fn generate_pair(
        &self,
        module: &Module,
        session: &Session,
        mechanism: &Mechanism,
        public: &Template,
        private: &Template,
    ) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        let slot = module.slot(session.slot)?;
        let plan = Plan::pair(slot, mechanism, public, private, module.remote.process(), request_id())?;
        match self.make(module, session, plan)?.as_slice() {
            [public, private] => Ok((*public, *private)),
            _ => Err(Rv(CKR_FUNCTION_FAILED)),
        }
    }

    /// C_GenerateKey: a secret key at the service; one that its client may read or wrap is made here, for the session's
    /// length.
    ///
    /// # Errors
    /// As PKCS#11 v3.0 §5.18.1.
    pub fn generate(
        &self,
        module: &Module,
        session: &Session,
        mechanism: &Mechanism,
        template: &Template,
    ) -> Result<CK_OBJECT_HANDLE> {
        let slot = module.slot(session.slot)?;
        if template.boolean(CKA_TOKEN)? != Some(true) && template.boolean(CKA_EXTRACTABLE)? == Some(true) {
            return self.make_secret(module, session, mechanism, template);
        }
        let plan = Plan::secret(slot, mechanism, template, module.remote.process(), request_id())?;
        match self.make(module, session, plan)?.as_slice() {
            [secret] => Ok(*secret),
            _ => Err(Rv(CKR_FUNCTION_FAILED)),
        }
    }

    fn make(&self, module: &Module, session: &Session, plan: Plan) -> Result<Vec<CK_OBJECT_HANDLE>> {
        if !module.logged_in(session.slot) {
            return Err(Rv(CKR_USER_NOT_LOGGED_IN));
        }
        let request = plan.request.clone();
        let key = module.remote.call(move |client, attempt| {
            let request = attempt.request(request.clone());
            async move { client.keys().create_key(request).await }
        });
        let key = match key {
            Ok(key) => key,
            Err(failure) => {
                if plan.session && failure.leaves_doubt() {
                    unmake(module, plan);
                }
                return Err(failure.rv(Doing::Making));
            }
        };
        let objects = plan.made(&key)?;
        let slot = self.slot(session)?;
        let mut listing = slot.write();
        // Under the lock, as `session_closed` ends what is listed.
        if plan.session {
            if let Err(closed) = module.session(session.handle) {
                drop(listing);
                let private = objects.into_iter().filter(|object| object.class() != ObjectClass::PublicKeyObject);
                private.for_each(|object| let_go(module, slot.organization(), object.name));
                return Err(closed);
            }
            module.remote.keep_session_keys(slot.organization());
        }
        let ends = plan.session.then_some(session.handle);
        Ok(objects.into_iter().map(|object| listing.change(object, ends)).collect())
    }
}

/// Drops a session key that may have been made though nobody was told: the same request brings its name.
fn unmake(module: &Module, plan: Plan) {
    let (organization, drop_id) = (plan.request.parent.clone(), request_id());
    let plan = Arc::new(plan);
    module.remote.call_with_lease(&organization, move |client, attempt| {
        let (plan, request_id) = (Arc::clone(&plan), drop_id.clone());
        async move {
            let key = client.keys().create_key(attempt.request(plan.request.clone())).await?.into_inner();
            let objects = plan.made(&key).unwrap_or_default();
            let private = objects.into_iter().find(|object| object.class() != ObjectClass::PublicKeyObject);
            let name = private.map(|object| object.name).unwrap_or_default();
            let request = attempt.request(v1::DeleteObjectRequest { name, request_id });
            client.objects().delete_object(request).await
        }
    });
}
