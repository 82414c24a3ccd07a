/** What a browser has and the tests' DOM lacks: IndexedDB, in memory. */
import "fake-indexeddb/auto";
