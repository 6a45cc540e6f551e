# A node in a container: the ikigai program, git, and the Radicle programs. Built by setup/node-image.sh.
#   docker run --network host -v /var/run/docker.sock:/var/run/docker.sock -v ikigai:/var/lib/ikigai ikigai-node
# Agents run beside it as containers of the host's engine, never inside it.
ARG BASE=ikigai-base:bookworm
FROM ${BASE}
LABEL dev.ikigai.image=node
COPY bin/ /usr/local/bin/
# The agents' image by digest; the host's engine has it.
ARG AGENT_IMAGE
ENV IKIGAI_AGENT_IMAGE=${AGENT_IMAGE} IKIGAI_RADICLE_BIN=/usr/local/bin
VOLUME /var/lib/ikigai
EXPOSE 7420/tcp 7421/tcp 7421/udp
ENTRYPOINT ["/usr/local/bin/ikigai"]
CMD ["up"]
