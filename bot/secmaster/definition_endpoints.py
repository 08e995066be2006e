"""Read the definitions of workflows and playbooks, and their versions."""

from bot.secmaster.findings import Playbook, PlaybookVersion, Workflow, WorkflowVersion
from bot.secmaster.measured import Endpoint, measured
from bot.secmaster.shapes import answered
from bot.secmaster.transport import Transport
from bot.secmaster.wire import segment


class DefinitionEndpoints(Transport):
    """The endpoints of definitions; a version's id is of its own, apart from its workflow's."""

    @measured(Endpoint.SHOW_WORKFLOW)
    async def show_workflow(self, workflow_id: str) -> Workflow:
        """https://support.huaweicloud.com/api-secmaster/ShowAopWorkflow.html."""
        reply = await self._get(f"/soc/workflows/{segment(workflow_id)}")
        return answered(Workflow, reply.object("data"))

    @measured(Endpoint.SHOW_WORKFLOW_VERSION)
    async def show_workflow_version(self, version_id: str) -> WorkflowVersion:
        """https://support.huaweicloud.com/api-secmaster/ShowAopWorkflowVersion.html."""
        reply = await self._get(f"/soc/workflows/versions/{segment(version_id)}")
        return answered(WorkflowVersion, reply.object("data"))

    @measured(Endpoint.SHOW_PLAYBOOK)
    async def show_playbook(self, playbook_id: str) -> Playbook:
        """https://support.huaweicloud.com/api-secmaster/ShowPlaybook.html."""
        reply = await self._get(f"/soc/playbooks/{segment(playbook_id)}")
        return answered(Playbook, reply.object("data"))

    @measured(Endpoint.SHOW_PLAYBOOK_VERSION)
    async def show_playbook_version(self, version_id: str) -> PlaybookVersion:
        """https://support.huaweicloud.com/api-secmaster/ShowPlaybookVersion.html."""
        reply = await self._get(f"/soc/playbooks/versions/{segment(version_id)}")
        return PlaybookVersion.of(reply.object("data"))
