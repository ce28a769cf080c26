// What the parts of the fake share: the settings, the record of what was called and found wrong, memory and streams.
//
// Functions of the driver and the runtime bear their real names, and the compiler checks them against NVIDIA's headers.
// All parts are one translation unit: fake.cpp.
#pragma once
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace fake {

// ---------------------------------------------------------------------------------------------- settings

inline std::string setting(const char* name) { return getenv(name) ? getenv(name) : ""; }

// When queued work is done: all of it at once; all of it as late as CUDA permits; that of the null stream late and of
// others early; that of the null stream at once and of others late.
enum Order { EAGER, LATE, OTHERS_FIRST, NULL_FIRST };
Order order = Order(atoi(setting("FAKE_LAZY").c_str()));
const bool dry = setting("FAKE_DRY") == "1";      // count, compute nothing
const bool guarded = setting("FAKE_GUARD") == "1";  // arrays end where a page ends
const std::string without = setting("FAKE_WITHOUT");
const int first_device = atoi(setting("FAKE_FIRST_DEVICE").c_str());  // device 0's number among the machine's
const int devices = std::max(1, atoi(setting("FAKE_DEVICES").c_str()));
const size_t capacity = 140ull << 30;  // bytes of memory, of all devices
const int FAILED = 86;                 // exit code of a process in which a problem was found

// ---------------------------------------------------------------------------------------------- the record

// Never destroyed: end() in hooks.cpp, the last to run, reads them.
std::recursive_mutex& mutex = *new std::recursive_mutex;
std::map<std::string, long long>& counters = *new std::map<std::string, long long>;
std::string& problems = *new std::string;

void count(const std::string& name, long long by = 1) { counters[name] += by; }

// Something that a GPU would refuse, or suffer in silence. The process ends with exit code FAILED whatever Python does.
void problem(const std::string& what) {
    if (problems.find(what + "\n") != std::string::npos) return;
    count("problems");
    problems += what + "\n";
    fprintf(stderr, "FAKE CUDA: %s\n", what.c_str());
}

thread_local int current_device = 0;

// The first line of every function of the API: one thread at a time; counted under the function's name.
struct Call {
    std::lock_guard<std::recursive_mutex> lock{mutex};
    explicit Call(const char* function) { count(function); }
};

// What the runtime answers where FAKE_WITHOUT takes away the driver or the device.
cudaError_t absent() {
    if (without == "driver" || without == "old-driver") return cudaErrorInsufficientDriver;
    return without == "device" ? cudaErrorNoDevice : cudaSuccess;
}

// The first line of every function of the runtime.
#define RUNTIME_CALL             \
    fake::Call call_(__func__);  \
    if (fake::absent() != cudaSuccess) return fake::absent()

}  // namespace fake
