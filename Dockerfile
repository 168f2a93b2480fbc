# fit3dmm in a container, without a GPU:
#
#   docker build -t fit3dmm .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/photos" fit3dmm fit portrait.jpg
#
# Results lie in fit3dmm-out beside the photo. The wheels of torch that PyPI has carry CUDA along; those
# for processors alone make the image four times smaller: give the address of their index as
# --build-arg TORCH_INDEX=...

FROM python:3.11-slim-bookworm AS build
ARG TORCH_INDEX=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/fit3dmm
ENV PATH="/opt/fit3dmm/bin:$PATH"
WORKDIR /src
# What changes seldom comes first, so that it is taken from the layers of an earlier build.
COPY constraints.txt ./
RUN pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -c constraints.txt torch
COPY . .
RUN pip install -c constraints.txt ".[usd,video]"

FROM python:3.11-slim-bookworm
COPY --from=build /opt/fit3dmm /opt/fit3dmm
# Whoever runs it may write there: compiled kernels, kept samples, downloaded models.
ENV PATH="/opt/fit3dmm/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/var/cache/fit3dmm/kernels \
    FIT3DMM_HOME=/var/cache/fit3dmm
RUN useradd --create-home --uid 1000 person \
    && mkdir -p /photos "$NUMBA_CACHE_DIR" \
    && chown -R person: /photos /var/cache/fit3dmm
USER person
# The kernels are compiled once, here, and the installation is shown to work.
COPY --chown=person data/examples/astronaut.png /tmp/example/
RUN fit3dmm fit /tmp/example/astronaut.png --out /tmp/out \
    && rm -r /tmp/out \
    && chmod -R a+rwX /var/cache/fit3dmm
WORKDIR /photos
ENTRYPOINT ["fit3dmm"]
CMD ["--help"]
