"""Provider of a database relation: one secret for each requirer."""

import ops


class DbCharm(ops.CharmBase):
    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        for event in (
            self.on.config_changed,
            self.on.leader_elected,
            self.on["database"].relation_changed,
        ):
            framework.observe(event, self._reconcile)
        framework.observe(self.on.rotate_action, self._rotate)
        framework.observe(self.on.collect_unit_status, self._status)

    def _reconcile(self, _: ops.EventBase) -> None:
        if not self.unit.is_leader():
            return
        for relation in self.model.relations["database"]:
            databag = relation.data[self.app]
            databag["user"] = f"{self.config['prefix']}-{relation.id}"
            if "secret" not in databag:
                label = f"password-{relation.id}"
                secret = self.app.add_secret({"password": f"p{relation.id}"}, label=label)
                secret.grant(relation)
                databag["secret"] = secret.id or ""

    def _rotate(self, event: ops.ActionEvent) -> None:
        for relation in self.model.relations["database"]:
            secret = self.model.get_secret(label=f"password-{relation.id}")
            old = secret.peek_content()["password"]
            secret.set_content({"password": old + event.params["suffix"]})
            event.log(f"rotated {relation.id}")
        event.set_results({"count": len(self.model.relations["database"])})

    def _status(self, event: ops.CollectStatusEvent) -> None:
        event.add_status(ops.ActiveStatus())


if __name__ == "__main__":
    ops.main(DbCharm)
