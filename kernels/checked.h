// The checked build's memory: every access to global<T> and SHARED goes through a class that looks at it first.
//
//   out of bounds      an index below 0, or at or past the end; the access does not happen
//   misaligned         four elements at once from an address that 16 does not divide
//   never written      a read of a cell that still holds what `empty` put there or, in shared memory, that no thread of
//                      this block has written
//   race               two threads at one cell of shared memory with no barrier between, one of them writing
//   barrier            a barrier that some threads of a block reach and others do not
//
// Barriers cut the life of a block into epochs. A cell of shared memory remembers who wrote it in which epoch, and who
// read it: two threads in one epoch are a race, in whatever order the emulator happened to run them.
//
// It also counts what every thread asks of global memory, and how many of the memory's sectors of 32 bytes each warp
// touches at a time: 4 for 32 floats in a row, 32 for floats far apart.
//
// With -DTRACED it also writes down every access and every barrier: see traced.h.

#pragma once

#include <stdarg.h>

#include <algorithm>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace emulator {

struct Report {  // minialex/backends/cuda/emulator.py reads it
    long long loads, stores, most_loads, most_stores, sectors;
    int problems;
    char text[8192];
};

struct Counts {
    long long loads = 0, stores = 0;
    std::vector<long long> sectors;  // of every access, in order
};

static Report* report;
static const char* kernel;
static std::vector<Counts> counts;  // one for each thread of the block
static unsigned self;               // the thread that runs
static long long epoch = 1, block_began;

inline void counted();

// A sentence in the report; of the same kind in the same line only the first three are told, all are counted.
inline void complain(const char* kind, const char* file, int line, const char* format, ...) {
    static std::map<std::pair<int, std::string>, int> told;
    counted();
    if (report->problems++ == 0) told.clear();
    if (++told[{line, kind}] > 3) return;
    size_t used = strlen(report->text), room = sizeof report->text - used;
    used += snprintf(report->text + used, room, "%s:%d: %s, block (%u, %u, %u), thread (%u, %u, %u): ", file, line,
                     kernel, blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z);
    room = sizeof report->text - std::min(used, sizeof report->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(report->text + sizeof report->text - room, room, format, arguments);
    va_end(arguments);
    used = strlen(report->text);
    if (used + 2 < sizeof report->text) strcpy(report->text + used, "\n");
}

// An index, and the line that it stands in: the default arguments are filled in where x[i] is written.
struct Place {
    long long i;
    const char* file;
    int line;
    template <typename Integer>
    Place(Integer i, const char* file = __builtin_FILE(), int line = __builtin_LINE())
        : i((long long)i), file(file), line(line) {
        static_assert(std::is_integral<Integer>::value, "an index is a whole number");
    }
};

enum Kind { LOAD, STORE, BARRIER, OUTSIDE_LOAD, OUTSIDE_STORE };

struct ArrayName {  // of global or shared memory; columns: of a row, where it has two indices
    const char* name;
    bool shared;
    long long size, columns;
};

}  // namespace emulator

#ifdef TRACED
#include "traced.h"
#else
namespace emulator {
inline void trace(Kind, const ArrayName&, long long, const char*, int, double) {}
}  // namespace emulator
#endif

namespace emulator {

// What `empty` fills an array with: NaN, or a number, of a pattern that no computation makes. Bytes have none to
// spare.
template <typename T>
bool never_written(T value) {
    const uint64_t eight = std::is_integral<T>::value ? 0x7eadbeadbeadbeadull : 0x7ffdbeadbeadbeadull;
    const uint32_t four = std::is_integral<T>::value ? 0x7eadbeadu : 0x7fedbeadu;
    if (sizeof(T) == 8) return !memcmp(&value, &eight, 8);
    return sizeof(T) == 4 && !memcmp(&value, &four, 4);
}

// Stands for the cell itself: turns into its value where that is wanted, and takes one.
template <typename Array>
struct Cell {
    typedef typename Array::Value Value;
    const Array& array;
    Place place;
    operator Value() const { return array.load(place); }
    Value operator=(Value value) const { return array.store(place, value), value; }
    Value operator=(const Cell& other) const { return *this = (Value)other; }
    Value operator+=(Value value) const { return *this = array.load(place) + value; }
    Value operator-=(Value value) const { return *this = array.load(place) - value; }
    Value operator*=(Value value) const { return *this = array.load(place) * value; }
    Value operator/=(Value value) const { return *this = array.load(place) / value; }
};

template <typename T>
struct Four {
    T v[4];
};

}  // namespace emulator

#ifdef COUNT_WARPS
#include "warps.h"
#else
namespace emulator {
inline void counted() {}
inline void warps_block_begins() {}
inline void warps_block_ends() {}
inline void warps_epoch_ends() {}
inline void shared_accessed(const char*, const Place&, bool, size_t, size_t) {}
inline void global_accessed(const char*, long long, const void*, size_t, const Place&, bool, bool) {}
inline const char* other_line(int) { return ""; }
}  // namespace emulator
#endif

namespace emulator {

template <typename T>
struct Global {
    typedef typename std::remove_const<T>::type Value;
    T* start;
    long long size;
    const char* name;
    long long from = 0;  // where this pointer points: after x + n

    Global operator+(long long n) const { return {start, size, name, from + n}; }
    auto operator[](Place place) const {
        if constexpr (std::is_const<T>::value)
            return load(place);
        else
            return Cell<Global>{*this, place};
    }

    void note(Kind kind, const Place& place, Value value, int k = 0) const {
        trace(kind, {name, false, size, 0}, from + place.i + k, place.file, place.line, (double)value);
    }

    bool inside(const Place& place, const char* does, int count = 1) const {
        long long i = from + place.i;
        if (i >= 0 && i + count <= size) return true;
        note(*does == 'r' ? OUTSIDE_LOAD : OUTSIDE_STORE, place, Value());
        complain(does, place.file, place.line, "%s %s[%lld], but %s has %lld elements", does, name, i, name, size);
        return false;
    }
    void touched(long long i, int bytes) const {
        for (long long b = 0; b < bytes; b += 32) counts[self].sectors.push_back(((intptr_t)(start + i) + b) / 32);
    }
    void accessed(const Place& place, bool writes, int count = 1) const {
        long long i = from + place.i;
        global_accessed(name, i, start + i, count * sizeof(T), place, writes, std::is_const<T>::value);
    }

    Value load(const Place& place) const {
        if (!inside(place, "reads")) return Value();
        accessed(place, false);
        Value value = start[from + place.i];
        if (never_written(value))
            complain("unwritten", place.file, place.line, "reads %s[%lld], which nobody has written", name,
                     from + place.i);
        ++counts[self].loads;
        touched(from + place.i, sizeof(T));
        note(LOAD, place, value);
        return value;
    }
    void store(const Place& place, Value value) const {
        if (!inside(place, "writes")) return;
        accessed(place, true);
        const_cast<Value*>(start)[from + place.i] = value;
        ++counts[self].stores;
        touched(from + place.i, sizeof(T));
        note(STORE, place, value);
    }

    bool aligned(const Place& place) const {
        if ((intptr_t)(start + from + place.i) % 16 == 0) return true;
        complain("misaligned", place.file, place.line,
                 "four elements at once from %s[%lld], whose address 16 does not divide", name, from + place.i);
        return false;
    }
    Four<Value> load4(const Place& place) const {
        Four<Value> four = {};
        if (!inside(place, "reads four from", 4) || !aligned(place)) return four;
        accessed(place, false, 4);
        for (int k = 0; k < 4; ++k) {
            four.v[k] = start[from + place.i + k];
            if (never_written(four.v[k]))
                complain("unwritten", place.file, place.line, "reads %s[%lld], which nobody has written", name,
                         from + place.i + k);
        }
        ++counts[self].loads;
        touched(from + place.i, 4 * sizeof(T));
        for (int k = 0; k < 4; ++k) note(LOAD, place, four.v[k], k);
        return four;
    }
    void store4(const Place& place, Four<Value> four) const {
        if (!inside(place, "writes four to", 4) || !aligned(place)) return;
        accessed(place, true, 4);
        for (int k = 0; k < 4; ++k) const_cast<Value*>(start)[from + place.i + k] = four.v[k];
        ++counts[self].stores;
        touched(from + place.i, 4 * sizeof(T));
        for (int k = 0; k < 4; ++k) note(STORE, place, four.v[k], k);
    }
};

template <typename T, int N>
struct Shared {
    typedef T Value;
    struct Memory {                       // of one cell
        int written_in = 0, read_in = 0, second_in = 0;
        long long written = 0, read = 0;  // epochs
        int writer = -1, reader = -1, second = -1;
    };
    const char* name;
    int columns;
    mutable T values[N] = {};
    mutable Memory memory[N];

    explicit Shared(const char* name, int columns = 0) : name(name), columns(columns) {}
    Cell<Shared> operator[](Place place) const { return {*this, place}; }

    void note(Kind kind, const Place& place, T value) const {
        trace(kind, {name, true, N, columns}, place.i, place.file, place.line, (double)value);
    }

    bool inside(const Place& place, const char* does) const {
        if (place.i >= 0 && place.i < N) return true;
        note(*does == 'r' ? OUTSIDE_LOAD : OUTSIDE_STORE, place, T());
        complain(does, place.file, place.line, "%s %s[%lld], but %s has %d elements", does, name, place.i, name, N);
        return false;
    }
    void race(const Place& place, const char* does, int other, const char* did, int line) const {
        complain("race", place.file, place.line,
                 "race: %s %s[%lld], which thread %d %s, with no barrier between%s", does, name, place.i, other, did,
                 other_line(line));
    }

    T load(const Place& place) const {
        if (!inside(place, "reads")) return T();
        shared_accessed(name, place, false, sizeof(T), sizeof values);
        Memory& cell = memory[place.i];
        if (cell.written < block_began)
            complain("unwritten", place.file, place.line, "reads %s[%lld], which no thread of this block has written",
                     name, place.i);
        else if (cell.written == epoch && cell.writer != (int)self)
            race(place, "reads", cell.writer, "wrote", cell.written_in);
        if (cell.read != epoch) {
            cell.reader = cell.second = self;
            cell.read_in = cell.second_in = place.line;
        } else if (cell.reader != (int)self) {
            cell.second = self;
            cell.second_in = place.line;
        }
        cell.read = epoch;
        note(LOAD, place, values[place.i]);
        return values[place.i];
    }
    void store(const Place& place, T value) const {
        if (!inside(place, "writes")) return;
        shared_accessed(name, place, true, sizeof(T), sizeof values);
        Memory& cell = memory[place.i];
        if (cell.written == epoch && cell.writer != (int)self)
            race(place, "writes", cell.writer, "wrote", cell.written_in);
        else if (cell.read == epoch && cell.reader != (int)self)
            race(place, "writes", cell.reader, "read", cell.read_in);
        else if (cell.read == epoch && cell.second != (int)self)
            race(place, "writes", cell.second, "read", cell.second_in);
        cell.written = epoch;
        cell.writer = self;
        cell.written_in = place.line;
        values[place.i] = value;
        note(STORE, place, value);
    }
};

// Two indices: the second is checked against its row, not only against the whole.
template <typename T, int ROWS, int COLUMNS>
struct Shared2 {
    Shared<T, ROWS * COLUMNS> cells;
    struct Row {
        const Shared<T, ROWS * COLUMNS>& cells;
        long long row;
        Cell<Shared<T, ROWS * COLUMNS>> operator[](Place place) const {
            if (place.i < 0 || place.i >= COLUMNS || row < 0 || row >= ROWS) {
                complain("row", place.file, place.line, "%s[%lld][%lld], but %s has %d rows of %d", cells.name, row,
                         place.i, cells.name, ROWS, COLUMNS);
                return {cells, {0, place.file, place.line}};
            }
            place.i += row * COLUMNS;
            return {cells, place};
        }
    };
    explicit Shared2(const char* name) : cells(name, COLUMNS) {}
    Row operator[](long long row) const { return {cells, row}; }
};

inline void barrier(const char* file, int line) {
    fiber->file = file;
    fiber->line = line;
    trace(BARRIER, {"", false, 0, 0}, 0, file, line, 0);
    fiber->state = Fiber::WAITING;
    if (!_setjmp(fiber->here)) _longjmp(scheduler, 1);
}

inline void block_begins() {
    counts.assign(blockDim.x * blockDim.y * blockDim.z, Counts());
    block_began = ++epoch;
    warps_block_begins();
}

inline void thread_runs(unsigned number) { self = number; }

// All threads have run up to a barrier or to their end.
inline void epoch_ends(const Fiber* fibers, unsigned threads) {
    warps_epoch_ends();
    ++epoch;
    const Fiber *waiting = nullptr, *elsewhere = nullptr;
    for (unsigned t = 0; t < threads; ++t)
        if (fibers[t].state == Fiber::WAITING) waiting = fibers + t;
    if (!waiting) return;
    for (unsigned t = 0; t < threads; ++t)
        if (fibers[t].state != Fiber::WAITING || fibers[t].line != waiting->line) elsewhere = fibers + t;
    if (!elsewhere) return;
    place_thread(waiting - fibers);
    if (elsewhere->state == Fiber::DONE)
        complain("barrier", waiting->file, waiting->line, "waits at a barrier, but thread %d has left the kernel",
                 (int)(elsewhere - fibers));
    else
        complain("barrier", waiting->file, waiting->line, "waits at a barrier, but thread %d at the one in line %d",
                 (int)(elsewhere - fibers), elsewhere->line);
}

inline void block_ends() {
    warps_block_ends();
    for (const Counts& thread : counts) {
        report->loads += thread.loads;
        report->stores += thread.stores;
        report->most_loads = std::max(report->most_loads, thread.loads);
        report->most_stores = std::max(report->most_stores, thread.stores);
    }
    for (size_t warp = 0; warp < counts.size(); warp += 32) {
        auto lanes = counts.begin() + warp, end = counts.begin() + std::min(warp + 32, counts.size());
        size_t most = 0;
        for (auto lane = lanes; lane != end; ++lane) most = std::max(most, lane->sectors.size());
        for (size_t k = 0; k < most; ++k) {
            std::vector<long long> touched;
            for (auto lane = lanes; lane != end; ++lane)
                if (k < lane->sectors.size()) touched.push_back(lane->sectors[k]);
            std::sort(touched.begin(), touched.end());
            report->sectors += std::unique(touched.begin(), touched.end()) - touched.begin();
        }
    }
}

}  // namespace emulator

template <typename T>
using global = emulator::Global<T>;
#define SHARED(type, name, size) static emulator::Shared<type, size> name(#name)
#define SHARED2(type, name, rows, columns) static emulator::Shared2<type, rows, columns> name(#name)
#define __syncthreads() emulator::barrier(__FILE__, __LINE__)
