# The agent's container: the tools, agentd as PID 1, and the files of agent-image/rootfs. Built by setup/agent-image.sh.
# It holds no credential and runs with a read-only root, no network and no capability.
ARG TOOLS=ikigai-agent-tools:dev
FROM ${TOOLS}
LABEL dev.ikigai.image=agent
COPY rootfs/ /
ENTRYPOINT ["/usr/local/bin/ikigai-agentd"]
