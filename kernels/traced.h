// The traced build (-DTRACED beside -DCHECKED): every access and every barrier, in the order in which the emulator comes
// to them. minialex/backends/cuda/tracing.py gives it an array to write to, and reads what is in it.

#pragma once

namespace emulator {

struct Event {  // minialex/backends/cuda/tracing.py reads it
    double value;
    long long index;
    int thread, kind, array, file, line, padding;
};

static Event* events;
static long long most_events, last_event, seen_events;  // those beyond the most are counted, but not written down
static std::vector<std::string> trace_names;

// The number of a text: of "file tile.cuh", "global a 64 0" or "shared a_tile 256 16".
inline int name_number(const std::string& text) {
    auto found = std::find(trace_names.begin(), trace_names.end(), text);
    int number = found - trace_names.begin();
    if (found == trace_names.end()) trace_names.push_back(text);
    return number;
}

inline void trace(Kind kind, const ArrayName& array, long long index, const char* file, int line, double value) {
    if (!events) return;
    if (seen_events >= last_event) {  // a loop that does not end: no thread goes on behind its next access
        fiber->state = Fiber::DONE;
        _longjmp(scheduler, 1);
    }
    if (seen_events++ >= most_events) return;
    std::string name = (array.shared ? "shared " : "global ") + std::string(array.name) + " " +
                       std::to_string(array.size) + " " + std::to_string(array.columns);
    events[seen_events - 1] = {
        value, index, (int)self, kind, name_number(name), name_number("file " + std::string(file)), line, 0};
}

}  // namespace emulator

extern "C" void trace_into(emulator::Event* events, long long most, long long last) {
    emulator::events = events;
    emulator::most_events = most;
    emulator::last_event = last;
    emulator::seen_events = 0;
    if (events) emulator::trace_names.clear();
}
extern "C" long long traced_events() { return emulator::seen_events; }
extern "C" const char* trace_name(int number) {
    return number < (int)emulator::trace_names.size() ? emulator::trace_names[number].c_str() : nullptr;
}
