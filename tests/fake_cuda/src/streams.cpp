// Streams and events: queues of work, and when it is done.
//
// Work in a stream is done in the order in which it was queued. Between streams only these hold: an event that a stream
// waits for; and the null stream waits for all work that other blocking streams were given before, and they for its.
// A program that relies on more has a race, and computes something else under another FAKE_LAZY.

namespace fake {

struct Stream {
    std::deque<std::function<void()>> queue;
    long long queued = 0, done = 0;
    bool blocking = true;

    void until(long long number) {  // do the work up to the one with this number
        while (done < number && !queue.empty()) {
            auto work = std::move(queue.front());
            queue.pop_front();
            work();
            ++done;
        }
    }

    void add(std::function<void()> work) {
        queue.push_back(std::move(work));
        ++queued;
    }
};

struct Event {
    Stream* stream = nullptr;  // where it was recorded last, behind `number` pieces of work
    long long number = 0;
    double seconds = 0;
};

Stream null_stream;
std::set<Stream*> streams;

// Handles 1 and 2 are the legacy and the per-thread null stream.
Stream* at(void* handle) { return (uintptr_t)handle <= 2 ? &null_stream : (Stream*)handle; }

void drain(Stream* stream) { stream->until(stream->queued); }

void drain_all() {
    drain(&null_stream);
    for (Stream* stream : streams) drain(stream);
}

void push(Stream* stream, std::function<void()> work) {
    if (dry) return;
    auto wait_for = [&](Stream* other) {
        const long long number = other->queued;
        if (other->blocking && other->done < number) stream->add([=] { other->until(number); });
    };
    if (stream == &null_stream) {
        for (Stream* other : streams) wait_for(other);
    } else if (stream->blocking) {
        wait_for(&null_stream);
    }
    stream->add(std::move(work));
    if (order == EAGER || order == (stream == &null_stream ? NULL_FIRST : OTHERS_FIRST)) drain(stream);
}

double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

}  // namespace fake

using namespace fake;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* handle, unsigned flags) {
    RUNTIME_CALL;
    Stream* made = new Stream;
    made->blocking = !(flags & cudaStreamNonBlocking);
    streams.insert(made);
    *handle = (cudaStream_t)made;
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t* handle) { return cudaStreamCreateWithFlags(handle, 0); }

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* handle, unsigned flags, int) {
    return cudaStreamCreateWithFlags(handle, flags);
}

// CUDA does not wait here: the work that is queued will still be done, so the stream lives on.
cudaError_t cudaStreamDestroy(cudaStream_t) {
    RUNTIME_CALL;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    RUNTIME_CALL;
    count("sync:stream");
    drain(at(stream));
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
    RUNTIME_CALL;
    count("sync:device");
    drain_all();
    return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
    RUNTIME_CALL;
    return at(stream)->done < at(stream)->queued ? cudaErrorNotReady : cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus* status) {
    RUNTIME_CALL;
    *status = cudaStreamCaptureStatusNone;
    return cudaSuccess;
}

cudaError_t cudaStreamGetFlags(cudaStream_t stream, unsigned* flags) {
    RUNTIME_CALL;
    *flags = at(stream)->blocking ? 0 : cudaStreamNonBlocking;
    return cudaSuccess;
}

cudaError_t cudaStreamGetPriority(cudaStream_t, int* priority) {
    RUNTIME_CALL;
    *priority = 0;
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t handle, unsigned) {
    RUNTIME_CALL;
    const Event event = *(Event*)handle;
    if (event.stream && event.stream != at(stream)) push(at(stream), [=] { event.stream->until(event.number); });
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned) {
    RUNTIME_CALL;
    *handle = (cudaEvent_t) new Event;
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* handle) { return cudaEventCreateWithFlags(handle, 0); }

// Not deleted: work that is queued may still set its time.
cudaError_t cudaEventDestroy(cudaEvent_t) {
    RUNTIME_CALL;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream) {
    RUNTIME_CALL;
    Event* event = (Event*)handle;
    push(at(stream), [=] { event->seconds = now(); });
    event->stream = at(stream);
    event->number = event->stream->queued;
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
    RUNTIME_CALL;
    count("sync:event");
    Event* event = (Event*)handle;
    if (event->stream) event->stream->until(event->number);
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
    RUNTIME_CALL;
    Event* event = (Event*)handle;
    return event->stream && event->stream->done < event->number ? cudaErrorNotReady : cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
    RUNTIME_CALL;
    *milliseconds = 1e3 * (((Event*)end)->seconds - ((Event*)begin)->seconds);
    return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
    RUNTIME_CALL;
    push(at(stream), [=] { function(data); });
    return cudaSuccess;
}
