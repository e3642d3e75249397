// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

/** Makes the numbers of ioctls that carry their argument's size and direction, as {@code linux/ioctl.h} does. */
public final class IoctlRequest {
    private static final int _IOC_TYPESHIFT = 8;
    private static final int _IOC_SIZESHIFT = 16;
    private static final int _IOC_DIRSHIFT = 30;
    private static final int _IOC_SIZEBITS = 14;
    private static final long _IOC_NONE = 0;
    private static final long _IOC_WRITE = 1;
    private static final long _IOC_READ = 2;

    private IoctlRequest() {}

    /**
     * Makes the number of an ioctl without argument, or with an integer: {@code _IO}.
     *
     * @param type the type, 8 bits
     * @param number the number within the type, 8 bits
     * @return the request
     */
    public static long none(int type, int number) {
        return request(_IOC_NONE, type, number, 0);
    }

    /**
     * Makes the number of an ioctl that the kernel fills the argument of: {@code _IOR}.
     *
     * @param type the type, 8 bits
     * @param number the number within the type, 8 bits
     * @param size the argument's length in bytes
     * @return the request
     */
    public static long read(int type, int number, long size) {
        return request(_IOC_READ, type, number, size);
    }

    /**
     * Makes the number of an ioctl that the kernel reads the argument of: {@code _IOW}.
     *
     * @param type the type, 8 bits
     * @param number the number within the type, 8 bits
     * @param size the argument's length in bytes
     * @return the request
     */
    public static long write(int type, int number, long size) {
        return request(_IOC_WRITE, type, number, size);
    }

    /**
     * Makes the number of an ioctl that the kernel reads and fills the argument of: {@code _IOWR}.
     *
     * @param type the type, 8 bits
     * @param number the number within the type, 8 bits
     * @param size the argument's length in bytes
     * @return the request
     */
    public static long readWrite(int type, int number, long size) {
        return request(_IOC_READ | _IOC_WRITE, type, number, size);
    }

    private static long request(long direction, int type, int number, long size) {
        if (type >>> _IOC_TYPESHIFT != 0 || number >>> _IOC_TYPESHIFT != 0 || size >>> _IOC_SIZEBITS != 0) {
            throw new IllegalArgumentException(
                    "no ioctl request: type " + type + ", number " + number + ", size " + size);
        }
        return direction << _IOC_DIRSHIFT | size << _IOC_SIZESHIFT | (long) type << _IOC_TYPESHIFT | number;
    }
}
