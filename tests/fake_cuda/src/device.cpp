// Devices, H200s by their figures, and the versions of driver and runtime. The devices differ in their numbers alone: they
// have one memory and one null stream, and each array knows on which device it was made.

using namespace fake;

cudaError_t cudaGetDeviceCount(int* count) {
    *count = 0;
    RUNTIME_CALL;
    *count = devices;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
    RUNTIME_CALL;
    *device = current_device;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    RUNTIME_CALL;
    if (device < 0 || device >= devices) return cudaErrorInvalidDevice;
    current_device = device;
    return cudaSuccess;
}

// The version of CUDA that the driver supports: 0 without one.
const int DRIVER_VERSION = without == "driver" ? 0 : without == "old-driver" ? 12080 : 13000;

cudaError_t cudaDriverGetVersion(int* version) {
    Call call(__func__);
    *version = DRIVER_VERSION;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
    Call call(__func__);
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaGetLastError() { return cudaSuccess; }

cudaError_t cudaPeekAtLastError() { return cudaSuccess; }

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
    static const std::map<int, int> values = {
        {cudaDevAttrMaxThreadsPerBlock, 1024},
        {cudaDevAttrMaxBlockDimX, 1024},
        {cudaDevAttrMaxBlockDimY, 1024},
        {cudaDevAttrMaxBlockDimZ, 64},
        {cudaDevAttrMaxGridDimX, 2147483647},
        {cudaDevAttrMaxGridDimY, 65535},
        {cudaDevAttrMaxGridDimZ, 65535},
        {cudaDevAttrMaxSharedMemoryPerBlock, 49152},
        {cudaDevAttrMaxSharedMemoryPerBlockOptin, 232448},
        {cudaDevAttrMaxSharedMemoryPerMultiprocessor, 233472},
        {cudaDevAttrMaxRegistersPerMultiprocessor, 65536},
        {cudaDevAttrMaxThreadsPerMultiProcessor, 2048},
        {cudaDevAttrMultiProcessorCount, 132},
        {cudaDevAttrWarpSize, 32},
        {cudaDevAttrComputeCapabilityMajor, 9},
    };
    RUNTIME_CALL;
    auto found = values.find(attribute);
    *value = found == values.end() ? 0 : found->second;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
    RUNTIME_CALL;
    *properties = {};
    strcpy(properties->name, "Fake H200");
    properties->totalGlobalMem = capacity;
    properties->sharedMemPerBlock = 49152;
    properties->sharedMemPerBlockOptin = 232448;
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = 1024;
    properties->major = 9;
    properties->multiProcessorCount = 132;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char* text, int size, int device) {
    RUNTIME_CALL;
    snprintf(text, size, "0000:%02X:00.0", first_device + device);
    return cudaSuccess;
}

cudaError_t cudaDeviceGetLimit(size_t* value, cudaLimit) {
    RUNTIME_CALL;
    *value = 0;
    return cudaSuccess;
}

cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) {
    RUNTIME_CALL;
    *can = 0;
    return cudaSuccess;
}
