"""Requirer of a database relation: shows user and password in its status."""

import ops


class WebCharm(ops.CharmBase):
    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        framework.observe(self.on.secret_changed, self._refresh)
        framework.observe(self.on.collect_unit_status, self._status)

    def _refresh(self, event: ops.SecretChangedEvent) -> None:
        event.secret.get_content(refresh=True)

    def _status(self, event: ops.CollectStatusEvent) -> None:
        relation = self.model.get_relation("database")
        if relation is None:
            event.add_status(ops.BlockedStatus("relation database missing"))
            return
        data = relation.data[relation.app]
        if "secret" not in data:
            event.add_status(ops.WaitingStatus("database has not sent credentials"))
            return
        content = self.model.get_secret(id=data["secret"], label="db").get_content()
        greeting = self.config["greeting"]
        event.add_status(ops.ActiveStatus(f"{greeting} {data['user']} {content['password']}"))


if __name__ == "__main__":
    ops.main(WebCharm)
