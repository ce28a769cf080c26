// What sitecustomize.py and Python call: jumps over the runtime inside CuPy, counters, the end of the process.

using namespace fake;

extern "C" {

// Write a jump to `target` over the function at `place`, which is 14 bytes long at least.
int fake_redirect(unsigned char* place, void* target) {
    char* page = (char*)((uintptr_t)place & ~(uintptr_t)(PAGE - 1));
    if (mprotect(page, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC)) return 1;
    unsigned char jump[14] = {0xff, 0x25, 0, 0, 0, 0};  // jmp [the eight bytes behind]
    memcpy(jump + 6, &target, 8);
    memcpy(place, jump, sizeof jump);
    return mprotect(page, 2 * PAGE, PROT_READ | PROT_EXEC);
}

void fake_start() { watch_faults(); }

// A line "name number" for every counter.
const char* fake_counters() {
    static std::string text;
    std::lock_guard<std::recursive_mutex> lock(fake::mutex);
    text.clear();
    for (auto& [name, number] : counters) text += name + " " + std::to_string(number) + "\n";
    return text.c_str();
}

// Counters to 0. What was found wrong stays.
void fake_reset() {
    std::lock_guard<std::recursive_mutex> lock(fake::mutex);
    counters.clear();
}

// As another FAKE_LAZY from now on.
void fake_order(int number) {
    std::lock_guard<std::recursive_mutex> lock(fake::mutex);
    drain_all();
    order = Order(number);
}

// At the end of Python, while the kernels are still loaded: do what is queued, look at the margins of all arrays.
void fake_finish() {
    std::lock_guard<std::recursive_mutex> lock(fake::mutex);
    drain_all();
    for (auto& [array, block] : device_blocks) check_margins(array, block);
}

// Called by the stubs of what is not simulated, which build.py writes.
int fake_unknown(const char* function) {
    Call call(function);
    problem(std::string(function) + " is not simulated");
    return cudaErrorNotSupported;
}

}  // extern "C"

// Behind Python's own end: nothing can make the process succeed that had a problem.
__attribute__((destructor)) static void end() {
    if (problems.empty()) return;
    fprintf(stderr, "FAKE CUDA: this process had problems, which GPUs do not forgive:\n%s", problems.c_str());
    fflush(nullptr);
    _exit(FAILED);
}
