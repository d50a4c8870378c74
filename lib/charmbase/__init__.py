"""What every component charm shares: a charm declares, the engine here does.

A charm is a function from relations and options to snap config. It declares its endpoints, a
mapping that says for each snap config key where the value comes from, and how to tell that its
service answers; one `reconcile` then serves every event:

    class GlanceCharm(ComponentCharm[GlanceConfig]):
        component = "glance"
        database = Requires("database", mysql_client.Requirer,
                            request=mysql_client.RequirerData(database="glance"))
        image_service = Provides("image-service", glance.Provider)
        migrate = Job("glance-db-sync", needs=("database",))
        probe = Http("/healthcheck")
        mapping = {
            "debug": Option("debug"),
            "bind-address": Binding("image-service"),
            "database": sections.database(database),
            "schema-release": migrate.done,
        }

        def publish(self, config: GlanceConfig) -> None:
            self.image_service.publish(glance.ProviderData(glance_api_server=self.url(config)))

What a field of an endpoint, a key or a job is called is checked when the class is made, so a
typing error fails at import.
"""

from __future__ import annotations

from charmbase import sections
from charmbase.charm import ComponentCharm
from charmbase.endpoints import Provides, Requires
from charmbase.explain import Origin, explain, load_charm
from charmbase.peers import new_password
from charmbase.probes import All, Http, Present, Probe, Services, Tcp, UnixSocket
from charmbase.sources import Binding, Computed, Constant, Generated, Hostname, Job, Option, Source

__all__ = [
    "All",
    "Binding",
    "ComponentCharm",
    "Computed",
    "Constant",
    "Generated",
    "Hostname",
    "Http",
    "Job",
    "Option",
    "Origin",
    "Present",
    "Probe",
    "Provides",
    "Requires",
    "Services",
    "Source",
    "Tcp",
    "UnixSocket",
    "explain",
    "load_charm",
    "new_password",
    "sections",
]
