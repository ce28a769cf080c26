// Device memory, pinned memory, copies.
//
// Every cudaMalloc gets pages of its own, at addresses that are never used again, between pages that nobody may touch:
// an access far outside, or to freed memory, ends the process with a sentence. What is left of an array's pages, before
// and behind it, holds 0xff like the fresh array itself, NaN as float and as double; a write there is found when the
// array is freed, or at the end. FAKE_GUARD=1 puts an array's end (to 16 bytes) at a page's end, so that an access one
// element further on ends the process at once; sitecustomize.py then makes CuPy allocate without its pool, too.

namespace fake {

const size_t PAGE = 4096, GAP = 1 << 16;
const char UNWRITTEN = '\xff';

struct Block {
    char* pages;    // what was mapped: pages of `room` bytes
    size_t room;
    size_t size;  // of the array
    int device;
};

char *const FIRST = (char*)0x600000000000, *const LAST = (char*)0x700000000000;  // of addresses on the device
char* next_pages = FIRST;
std::map<char*, Block> device_blocks;          // by the array's address
std::map<char*, size_t> pinned_blocks, freed;  // address -> bytes
size_t device_bytes = 0;
thread_local const char* running = nullptr;  // the kernel that runs

template <class Sizes, class Size>
bool inside(const Sizes& blocks, const void* pointer, size_t bytes, Size size) {
    auto it = blocks.upper_bound((char*)pointer);
    if (it == blocks.begin()) return false;
    --it;
    return (char*)pointer + bytes <= it->first + size(it->second);
}

bool on_device(const void* pointer, size_t bytes) {
    return inside(device_blocks, pointer, bytes, [](const Block& b) { return b.size; });
}

int device_of(const void* pointer) { return std::prev(device_blocks.upper_bound((char*)pointer))->second.device; }

bool is_pinned(const void* pointer, size_t bytes) {
    return inside(pinned_blocks, pointer, bytes, [](size_t size) { return size; });
}

void check_margins(char* array, const Block& block) {
    auto spoilt = [](char* from, char* to) { return std::count(from, to, UNWRITTEN) != to - from; };
    if (dry) return;
    const std::string of = "an array of " + std::to_string(block.size) + " bytes was overwritten";
    if (spoilt(block.pages, array)) problem("memory before the beginning of " + of);
    if (spoilt(array + block.size, block.pages + block.room)) problem("memory behind the end of " + of);
}

// A fault in device memory: say what was touched, and end. Any other fault: as it would be without the fake.
struct sigaction before_us;
void on_fault(int, siginfo_t* info, void*) {
    char* at = (char*)info->si_addr;
    if (at < FIRST || at >= LAST) {
        sigaction(SIGSEGV, &before_us, nullptr);
        return;
    }
    const char* what = inside(freed, at, 1, [](size_t size) { return size; }) ? "freed device memory"
                                                                               : "memory outside of every array";
    char text[300];
    int length = snprintf(text, sizeof text, "FAKE CUDA: %s touched %s\n", running ? running : "the host", what);
    if (write(2, text, length) < 0) {}
    _exit(FAILED);
}

void watch_faults() {
    static char stack[1 << 16];
    stack_t other = {stack, 0, sizeof stack};
    sigaltstack(&other, nullptr);
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, &before_us);
}

}  // namespace fake

using namespace fake;

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
    RUNTIME_CALL;
    *pointer = nullptr;
    if (!bytes) return cudaSuccess;
    if (device_bytes + bytes > capacity || next_pages + bytes + GAP > LAST) return cudaErrorMemoryAllocation;
    const size_t room = (bytes + PAGE - 1) / PAGE * PAGE;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    char* pages = (char*)mmap(next_pages, room, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (pages == MAP_FAILED) return cudaErrorMemoryAllocation;
    next_pages = pages + room + GAP;
    char* array = guarded ? pages + room - (bytes + 15) / 16 * 16 : pages;
    if (!dry) memset(pages, UNWRITTEN, room);
    device_blocks[array] = {pages, room, bytes, current_device};
    device_bytes += bytes;
    *pointer = array;
    return cudaSuccess;
}

// Waits for the device, as the real one does.
cudaError_t cudaFree(void* pointer) {
    RUNTIME_CALL;
    if (!pointer) return cudaSuccess;
    drain_all();
    auto it = device_blocks.find((char*)pointer);
    if (it == device_blocks.end()) {
        problem("cudaFree of memory that was not allocated, or was freed before");
        return cudaErrorInvalidValue;
    }
    const Block block = it->second;
    check_margins(it->first, block);
    device_bytes -= block.size;
    device_blocks.erase(it);
    munmap(block.pages, block.room);
    freed[block.pages] = block.room;
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned) {
    RUNTIME_CALL;
    if (posix_memalign(pointer, PAGE, std::max(bytes, size_t(1)))) return cudaErrorMemoryAllocation;
    if (!dry) memset(*pointer, UNWRITTEN, bytes);
    pinned_blocks[(char*)*pointer] = bytes;
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) { return cudaHostAlloc(pointer, bytes, 0); }

cudaError_t cudaFreeHost(void* pointer) {
    RUNTIME_CALL;
    drain_all();
    if (!pinned_blocks.erase((char*)pointer)) {
        problem("cudaFreeHost of memory that was not allocated, or was freed before");
        return cudaErrorInvalidValue;
    }
    free(pointer);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
    RUNTIME_CALL;
    *total = capacity;
    *available = capacity - device_bytes;
    return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
    RUNTIME_CALL;
    const bool device = on_device(pointer, 1);
    *attributes = {};
    attributes->type = device                  ? cudaMemoryTypeDevice
                       : is_pinned(pointer, 1) ? cudaMemoryTypeHost
                                               : cudaMemoryTypeUnregistered;
    attributes->device = device ? device_of(pointer) : -2;
    (device ? attributes->devicePointer : attributes->hostPointer) = (void*)pointer;
    return cudaSuccess;
}

namespace fake {

// The direction and the bounds must be those of the memory; pinned memory is read or written when the copy is due,
// other host memory before the call returns.
cudaError_t copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, Stream* stream, bool waits) {
    static const char* const names[] = {"H2H", "H2D", "D2H", "D2D"};
    if (kind == cudaMemcpyDefault) kind = cudaMemcpyKind(2 * on_device(from, 1) + on_device(to, 1));
    if (kind < 0 || kind > 3) return cudaErrorInvalidMemcpyDirection;
    if (!bytes) return cudaSuccess;
    const bool from_device = kind & 2, to_device = kind & 1;
    const std::string name = names[kind];
    if (on_device(from, bytes) != from_device || on_device(to, bytes) != to_device) {
        problem("a copy " + name + " of " + std::to_string(bytes) + " bytes from " +
                (on_device(from, bytes) ? "" : "outside of ") + "device memory to " +
                (on_device(to, bytes) ? "" : "outside of ") + "device memory");
        return cudaErrorInvalidValue;
    }
    const bool pageable = kind == cudaMemcpyDeviceToHost   ? !is_pinned(to, bytes)
                          : kind == cudaMemcpyHostToDevice ? !is_pinned(from, bytes)
                                                           : false;
    count("copies:" + name);
    count("bytes:" + name, bytes);
    if (pageable) count("pageable:" + name);
    if (dry) {
        if (!to_device) memset(to, 0, bytes);
    } else if (pageable && to_device) {
        auto staged = std::make_shared<std::vector<char>>((const char*)from, (const char*)from + bytes);
        push(stream, [=] { memcpy(to, staged->data(), bytes); });
    } else {
        push(stream, [=] { memmove(to, from, bytes); });
    }
    if (waits || (pageable && !to_device)) {
        if (kind != cudaMemcpyDeviceToDevice) count("sync:copy " + name);
        drain(stream);
    }
    return cudaSuccess;
}

cudaError_t set(void* pointer, int value, size_t bytes, Stream* stream) {
    if (!bytes) return cudaSuccess;
    if (!on_device(pointer, bytes)) {
        problem("a memset of " + std::to_string(bytes) + " bytes reaches outside of device memory");
        return cudaErrorInvalidValue;
    }
    count("memset");
    push(stream, [=] { memset(pointer, value, bytes); });
    return cudaSuccess;
}

}  // namespace fake

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    RUNTIME_CALL;
    return copy(to, from, bytes, kind, &null_stream, true);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
    RUNTIME_CALL;
    return copy(to, from, bytes, kind, at(stream), false);
}

cudaError_t cudaMemset(void* pointer, int value, size_t bytes) {
    RUNTIME_CALL;
    return set(pointer, value, bytes, &null_stream);
}

cudaError_t cudaMemsetAsync(void* pointer, int value, size_t bytes, cudaStream_t stream) {
    RUNTIME_CALL;
    return set(pointer, value, bytes, at(stream));
}
