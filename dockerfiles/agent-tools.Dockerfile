# The tools of every agent's container: Node, the Codex CLI, code-server. Large and seldom changed, hence an image of
# its own: setup/agent-tools.sh stages the folder usr/ beside this file's copy and builds it.
ARG BASE=ikigai-base:bookworm
FROM ${BASE}
LABEL dev.ikigai.image=agent-tools
COPY usr/ /usr/
# A passwd line gives terminals and git a name for the uid without rights.
RUN groupadd --gid 10001 agent \
 && useradd --uid 10001 --gid 10001 --home-dir /home/agent --create-home --shell /bin/bash agent \
 && mkdir -p /workspace /run/ikigai \
 && chown agent:agent /workspace /run/ikigai
ENV HOME=/home/agent SHELL=/bin/bash LANG=C.UTF-8 EXTENSIONS_GALLERY={} PATH=/usr/local/bin:/usr/bin:/bin
WORKDIR /workspace
USER 10001:10001
