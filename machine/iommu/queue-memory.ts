/** Memory as an IOMMU reads and writes its queues and tables; frames as their owner numbers them. */
export interface QueueMemory {
  readLow(frame: number, index: number): number;
  readHigh(frame: number, index: number): number;
  write(frame: number, index: number, low: number, high: number): void;
}
